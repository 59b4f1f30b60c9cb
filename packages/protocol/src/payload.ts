import { AppError } from './errors.ts';
import { LIMITS } from './limits.ts';

/** How large a payload may be; what is not named is as `checkPayload` says. */
export interface PayloadBounds {
  /** What an error calls the payload. Default "The payload". */
  name: string;
  /** Deepest nesting of arrays and objects. */
  depth: number;
  /** Most elements of arrays and properties of objects in all. */
  entries: number;
  /** Longest text, in characters. */
  textLength: number;
  /** Longest name of a property, in characters. */
  keyLength: number;
  /** Most characters of text and names and bytes of binary in all. */
  size: number;
  /** Whether it may hold binary. */
  binary: boolean;
}

const BOUNDS: PayloadBounds = {
  name: 'The payload',
  depth: LIMITS.payloadDepth + LIMITS.envelopeDepth,
  entries: LIMITS.payloadEntries,
  textLength: LIMITS.payloadSize,
  keyLength: LIMITS.payloadKeyLength,
  size: LIMITS.payloadSize,
  binary: true,
};

/**
 * Throws `invalid_payload` or `payload_too_large` unless a value from outside is small enough for code that walks it
 * recursively or merges it. It walks level by level itself, so that no depth ends the process, and stops at the first
 * bound. Functions pass: an ack stands among the arguments of an event.
 */
export function checkPayload(value: unknown, given: Partial<PayloadBounds> = {}): void {
  const bounds = { ...BOUNDS, ...given };
  const tally = { entries: 0, size: 0 };
  let level: object[] = [];
  look(value, { bounds, tally, next: level });
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= bounds.depth)
      throw new AppError('invalid_payload', `${bounds.name}: nested deeper than ${bounds.depth} levels`);
    const walk = { bounds, tally, next: [] as object[] };
    for (const container of level) open(container, walk);
    level = walk.next;
  }
}

interface Walk {
  readonly bounds: PayloadBounds;
  readonly tally: { entries: number; size: number };
  /** Arrays and objects of the next level. */
  readonly next: object[];
}

/** Looks at everything in an array or object. */
const open = (container: object, walk: Walk): void => {
  if (Array.isArray(container)) {
    countEntries(container.length, walk);
    for (const inner of container) look(inner, walk);
    return;
  }
  const keys = Object.keys(container);
  countEntries(keys.length, walk);
  for (const key of keys) {
    const inner: unknown = Reflect.get(container, key);
    checkKey(key, inner, walk);
    look(inner, walk);
  }
};

const look = (value: unknown, walk: Walk): void => {
  if (typeof value === 'string') {
    if (value.length > walk.bounds.textLength)
      throw tooLarge(walk, `a text of more than ${walk.bounds.textLength} characters`);
    countSize(value.length, walk);
  } else if (typeof value === 'object' && value !== null) {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      if (!walk.bounds.binary)
        throw new AppError(
          'invalid_payload',
          `${walk.bounds.name}: binary cannot be logged, send it with room:signal`,
        );
      countSize(value.byteLength, walk);
    } else walk.next.push(value);
  }
};

/** A merge of such a property into another object would change the prototype of all objects. */
const checkKey = (key: string, value: unknown, walk: Walk): void => {
  const isPrototype =
    key === '__proto__' ||
    (key === 'constructor' &&
      typeof value === 'object' &&
      value !== null &&
      Object.hasOwn(value, 'prototype'));
  if (isPrototype)
    throw new AppError('invalid_payload', `${walk.bounds.name}: a property "${key}" is not taken`);
  if (key.length > walk.bounds.keyLength)
    throw tooLarge(walk, `a property whose name has more than ${walk.bounds.keyLength} characters`);
  countSize(key.length, walk);
};

const countEntries = (entries: number, walk: Walk): void => {
  const { bounds, tally } = walk;
  tally.entries += entries;
  if (tally.entries > bounds.entries)
    throw tooLarge(walk, `more than ${bounds.entries} elements and properties`);
};

const countSize = (size: number, walk: Walk): void => {
  const { bounds, tally } = walk;
  tally.size += size;
  if (tally.size > bounds.size) throw tooLarge(walk, `more than ${bounds.size} characters and bytes`);
};

const tooLarge = ({ bounds }: Walk, what: string): AppError =>
  new AppError('payload_too_large', `${bounds.name}: ${what}`);

/** Throws unless `data` can be logged: JSON, at most 100 levels deep and 64 KB long. Binary travels in signals. */
export function checkLoggable(data: unknown): void {
  checkPayload(data, { name: '"data"', depth: LIMITS.payloadDepth, binary: false });
  const text = JSON.stringify(data) ?? 'null';
  // Only text that could be too long is measured in bytes.
  if (text.length * 3 > LIMITS.eventBytes && new TextEncoder().encode(text).length > LIMITS.eventBytes) {
    throw new AppError('payload_too_large', `"data": more than ${LIMITS.eventBytes} bytes of JSON`);
  }
}
