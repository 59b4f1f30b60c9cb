import { LIMITS } from '@fanfare/protocol';
import { decode, encode } from 'notepack.io';

/** Largest message of the bus, in bytes: what a team's own broadcast may hold. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Most elements and entries of one message: a walk over them takes some 10 ms. */
const MAX_VALUES = 1_000_000;
const MAX_DEPTH = LIMITS.payloadDepth + LIMITS.envelopeDepth;

/** How many values each open container of the message still misses; one for all, as a message is looked at in one go. */
const missing = new Uint32Array(MAX_DEPTH + 1);

/** A value in msgpack. notepack takes half a surrogate pair and what follows for one character: such a half is U+FFFD. */
export const guardedEncode = (value: unknown): Buffer => encode(isWhole(value) ? value : whole(value));

/** Whether notepack encodes all texts of a value as they are; cheap, as most texts know it of themselves. */
const isWhole = (value: unknown): boolean => {
  if (typeof value === 'string') return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isWhole);
  if (!isPlain(value)) return true;
  if (hasJson(value)) return isWhole(value.toJSON());
  for (const key of Object.keys(value))
    if (!key.isWellFormed() || !isWhole(Reflect.get(value, key))) return false;
  return true;
};

/** A copy with whole characters only. */
const whole = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(whole);
  if (!isPlain(value)) return value;
  if (hasJson(value)) return whole(value.toJSON());
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), whole(inner)]));
};

/** What notepack looks into; dates and binary have forms of their own. */
const isPlain = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  !(value instanceof Date || value instanceof ArrayBuffer || ArrayBuffer.isView(value));

const hasJson = (value: object): value is { toJSON(): unknown } =>
  'toJSON' in value && typeof value.toJSON === 'function';

/**
 * A message in msgpack; throws on one that notepack would recurse into too deeply, or that announces more than it holds:
 * 5 bytes can make notepack allocate 120 MB.
 */
export const guardedDecode = (message: Buffer): unknown => {
  checkMessage(message);
  return decode(message);
};

/** Walks the headers alone, without a value being made: some 3 ns for each. */
const checkMessage = (message: Buffer): void => {
  if (message.length > MAX_BYTES) throw new RangeError('message too large');
  let at = 0;
  let depth = 0;
  let values = 0;
  missing[0] = 1;
  while (true) {
    // Counts down what the innermost container misses; a full one is left.
    const left = missing[depth] ?? 0;
    if (left === 0) {
      if (depth === 0) break;
      depth -= 1;
      continue;
    }
    missing[depth] = left - 1;
    const head = message[at];
    if (head === undefined) throw new RangeError('message ends too early');
    const kind = head < 0x80 || head >= 0xe0 ? 0 : head;
    at += 1;
    let inner = 0;
    if (kind === 0) continue;
    if (kind < 0x90) inner = (kind & 0x0f) * 2;
    else if (kind < 0xa0) inner = kind & 0x0f;
    else if (kind < 0xc0) at += kind & 0x1f;
    else if (kind < 0xdc) at += bodyLength(message, kind, at);
    else {
      const isWide = kind === 0xdd || kind === 0xdf;
      inner = isWide ? message.readUInt32BE(at) : message.readUInt16BE(at);
      if (kind >= 0xde) inner *= 2;
      at += isWide ? 4 : 2;
    }
    if (inner === 0) continue;
    values += inner;
    // Every value has at least one byte.
    if (inner > message.length - at || values > MAX_VALUES)
      throw new RangeError('more values than the message holds');
    depth += 1;
    if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
    missing[depth] = inner;
  }
  if (at !== message.length) throw new RangeError('another length than announced');
};

/** Bytes after the first one of everything that holds no other values, by its first byte less 0xc0; 0xff says it itself. */
const FIXED = [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17];

const bodyLength = (message: Buffer, kind: number, at: number): number => {
  const fixed = FIXED[kind - 0xc0] ?? 255;
  if (fixed !== 255) return fixed;
  switch (kind) {
    case 0xc4:
    case 0xd9:
      return 1 + message.readUInt8(at);
    case 0xc5:
    case 0xda:
      return 2 + message.readUInt16BE(at);
    case 0xc6:
    case 0xdb:
      return 4 + message.readUInt32BE(at);
    case 0xc7:
      // A timestamp, of which notepack reads 12 bytes whatever its length says.
      if (message[at + 1] === 0xff && message[at] !== 12) throw new RangeError('not a timestamp');
      return extension(message.readUInt8(at), 1);
    case 0xc8:
      return extension(message.readUInt16BE(at), 2);
    default:
      return extension(message.readUInt32BE(at), 4);
  }
};

/** Its type stands before the body. */
const extension = (length: number, width: number): number => width + 1 + length;
