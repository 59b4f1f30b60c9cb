import type { AppError } from '@fanfare/protocol';
import { keys } from '../keys.ts';
import type { Position } from './event-log.ts';
import { type NewEvent, splitMessage } from './wire.ts';

/**
 * Where an event stands in a sequence that its publisher numbers, upwards in each room: one whose number is not above
 * the last of its sequence in the room is a duplicate, however late it comes.
 */
export interface Sequence {
  name: string;
  number: number;
}

/** An event on its way into the log. */
export interface Append {
  event: NewEvent;
  /** Whose id it is: the same id of the same publisher is appended once and answered with its first position. */
  publisher: string;
  /** How long the id is remembered, in ms; 0 when it is not one that a publisher can repeat. */
  rememberMs: number;
  sequence?: Sequence | undefined;
}

export type Appended = Position & { duplicate: boolean };

export type AppendResult = Appended | AppError;

/** Most that one call of the script appends: others wait meanwhile. */
const CALL_EVENTS = 100;
const CALL_BYTES = 256 * 1024;

/** One call of the script: events of one room in order, with the places of their answers. */
export interface AppendCall {
  places: number[];
  ids: string[];
  /** The field of the head that has the last number of their sequence; empty when they have none. */
  sequence: string;
  args: (string | number | Buffer)[];
  bytes: number;
}

/** The events of one room, in the calls in which they are appended. */
export interface RoomAppends {
  room: { namespace: string; room: string };
  calls: AppendCall[];
}

/** Sorts events by room; those of one room stay in order. */
export const byRoom = (appends: readonly Append[]): RoomAppends[] => {
  const rooms = new Map<string, RoomAppends>();
  for (let place = 0; place < appends.length; place += 1) {
    const append = appends[place];
    if (append === undefined) continue;
    const { event } = append;
    const key = `${event.namespace}#${event.room}`;
    let own = rooms.get(key);
    if (own === undefined) {
      own = { room: event, calls: [] };
      rooms.set(key, own);
    }
    addTo(own.calls, append, place);
  }
  return [...rooms.values()];
};

const fieldOf = ({ sequence }: Append): string => (sequence === undefined ? '' : `last:${sequence.name}`);

const numberOf = ({ sequence }: Append): number[] => (sequence === undefined ? [] : [sequence.number]);

const addTo = (calls: AppendCall[], append: Append, place: number): void => {
  const parts = splitMessage(append.event, append.publisher);
  const bytes = parts[0].length + parts[1].length;
  let call = calls.at(-1);
  const sequence = fieldOf(append);
  if (
    call === undefined ||
    call.places.length === CALL_EVENTS ||
    call.bytes + bytes > CALL_BYTES ||
    call.sequence !== sequence
  ) {
    call = { places: [], ids: [], sequence, args: [], bytes: 0 };
    calls.push(call);
  }
  const { event, publisher, rememberMs } = append;
  call.places.push(place);
  call.ids.push(keys.eventId(event, publisher, event.id));
  call.args.push(...parts, event.id, rememberMs, ...numberOf(append));
  call.bytes += bytes;
};

/** The call for one event alone. */
export const callOf = (append: Append): AppendCall => {
  const { event, publisher, rememberMs } = append;
  return {
    places: [0],
    ids: [keys.eventId(event, publisher, event.id)],
    sequence: fieldOf(append),
    args: [...splitMessage(event, publisher), event.id, rememberMs, ...numberOf(append)],
    bytes: 0,
  };
};

/** The answer of the script: epoch, offset and whether the id was known, for each event. */
export const readReply = (reply: unknown): Appended[] => {
  const values: unknown[] = Array.isArray(reply) ? reply : [];
  const appended: Appended[] = [];
  for (let i = 0; i < values.length; i += 3) {
    const [epoch, offset] = [values[i], values[i + 1]];
    if (!Buffer.isBuffer(epoch) || typeof offset !== 'number') {
      throw new TypeError('The append script gave another answer than it should');
    }
    appended.push({ epoch: epoch.toString('latin1'), offset, duplicate: values[i + 2] === 1 });
  }
  return appended;
};
