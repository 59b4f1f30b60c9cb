import type { AppError } from '@fanfare/protocol';
import { z } from 'zod';
import { keys } from '../keys.ts';
import type { Position } from './event-log.ts';
import { type NewEvent, splitMessage } from './wire.ts';

/** An event on its way into the log. */
export interface Append {
  event: NewEvent;
  /** Whose id it is: the same id of the same publisher is appended once and answered with its first position. */
  publisher: string;
  /** How long the id is remembered, in ms; 0 when it is not one that a publisher can repeat. */
  rememberMs: number;
}

export type Appended = Position & { duplicate: boolean };

/** Most that one call of the script appends: others wait meanwhile. */
const CALL_EVENTS = 100;
const CALL_BYTES = 256 * 1024;

/** One call of the script: events of one room in order, with the places of their answers. */
interface Call {
  places: number[];
  ids: string[];
  args: (string | number | Buffer)[];
  bytes: number;
}

/** The events of one room, in the calls in which they are appended. */
export interface RoomAppends {
  room: { namespace: string; room: string };
  calls: Call[];
}

/** Sorts events by room; those of one room stay in order. */
export const byRoom = (appends: readonly Append[]): RoomAppends[] => {
  const rooms = new Map<string, RoomAppends>();
  for (const [place, { event, publisher, rememberMs }] of appends.entries()) {
    const channel = keys.roomChannel(event.namespace, event.room);
    const own = rooms.get(channel) ?? { room: event, calls: [] };
    rooms.set(channel, own);
    const parts = splitMessage(event);
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const last = own.calls.at(-1);
    const fits = last && last.places.length < CALL_EVENTS && last.bytes + bytes <= CALL_BYTES;
    const call = fits ? last : { places: [], ids: [], args: [], bytes: 0 };
    if (!fits) own.calls.push(call);
    call.places.push(place);
    call.ids.push(keys.eventId(event, publisher, event.id));
    call.args.push(...parts, event.id, rememberMs);
    call.bytes += bytes;
  }
  return [...rooms.values()];
};

const reply = z.array(z.union([z.int(), z.instanceof(Buffer)]));

/** The answer of the script: epoch, offset and whether the id was known, for each event. */
export const readReply = (raw: unknown): Appended[] => {
  const values = reply.parse(raw);
  return Array.from({ length: values.length / 3 }, (_, i) => ({
    epoch: String(values[i * 3]),
    offset: Number(values[i * 3 + 1]),
    duplicate: values[i * 3 + 2] === 1,
  }));
};

export type AppendResult = Appended | AppError;
