import { type EventMeta, isProtocolEvent, LIMITS } from '@fanfare/protocol';
import { z } from 'zod';
import { guardedDecode, guardedEncode } from '../adapter/msgpack.ts';
import { toldRoom } from '../inbox.ts';
import type { Position } from './event-log.ts';

/** The sender of every logged message on the bus; a stock node takes it for an emitter. */
export const LOG_UID = 'fanfare-log';

/** Characters of an epoch; the message has room for exactly these. */
export const EPOCH_LENGTH = 16;

/** What a socket that hears an event for several rooms keeps of it; one for all sockets. */
export interface Hearing {
  /** The same in all of these rooms, and no other publisher's: an id is the publisher's own. */
  publication: string;
  /** As its members know it. */
  room: string;
  /** When it was published, and when this node read it, in ms. */
  at: number;
  readAt: number;
}

/** One event of a room's log, as members hear it. */
export interface LoggedEvent {
  event: string;
  data: unknown;
  meta: EventMeta & { epoch: string; offset: number };
  /** Size of its message on the bus. */
  bytes: number;
  /** All rooms that the same publish went to, in order; absent for one. */
  rooms?: readonly string[];
  /** Present with `rooms`. */
  hearing?: Hearing;
  /** Users who do not hear it. */
  except?: readonly string[];
  /** The entry is no event that may be told: it has its offset alone, so that what follows is no gap. */
  isUnreadable?: true;
}

/** What a publisher says; epoch and offset are the log's to give. */
export interface NewEvent {
  namespace: string;
  room: string;
  event: string;
  data: unknown;
  id: string;
  from?: string | undefined;
  rooms?: readonly string[] | undefined;
  except?: readonly string[] | undefined;
}

const EVENT_PACKET = 2;
const mapOf = (size: number): Buffer => Buffer.from([0x80 + size]);
const arrayOf = (size: number): Buffer => Buffer.from([0x90 + size]);
const EPOCH = Buffer.concat([guardedEncode('epoch'), Buffer.from([0xa0 + EPOCH_LENGTH])]);
/** What stands between epoch and offset: key and type of the offset, 8 bytes as a double. */
export const OFFSET_MARK = Buffer.concat([guardedEncode('offset'), Buffer.from([0xcb])]);

/** Everything before the event name, but for the namespace. */
const OPENING = Buffer.concat([
  arrayOf(3),
  guardedEncode(LOG_UID),
  mapOf(3),
  ...['type', EVENT_PACKET, 'nsp'].map(guardedEncode),
]);
const DATA = Buffer.concat([guardedEncode('data'), arrayOf(3)]);

/** Epoch and offset come first, then three entries, or four. */
const META = Buffer.concat([mapOf(5), EPOCH]);
const META_WITH_SENDER = Buffer.concat([mapOf(6), EPOCH]);

/**
 * The message of `@socket.io/redis-adapter` for one room, `[uid, packet, opts]` in msgpack, cut where the append script
 * puts the epoch, `OFFSET_MARK` and the offset. So the script never decodes what a publisher sent.
 */
export function splitMessage(event: NewEvent, publisher: string): [beforeEpoch: Buffer, afterOffset: Buffer] {
  const { namespace, room, id, from, rooms, except } = event;
  const opts = {
    rooms: [room],
    except: [],
    flags: {},
    ...(rooms && rooms.length > 1 && { allRooms: rooms, publisher }),
    ...(except && except.length > 0 && { exceptUsers: except }),
  };
  const meta = { id, room: toldRoom(room), at: Date.now() };
  // Entries alone: an encoded array or map without its first byte.
  const named = guardedEncode([event.event, event.data]).subarray(1);
  const rest = guardedEncode([from === undefined ? meta : { ...meta, from }, opts]).subarray(2);
  const head = from === undefined ? META : META_WITH_SENDER;
  return [Buffer.concat([OPENING, guardedEncode(namespace), DATA, named, head]), rest];
}

/** How the time of an event stands in its message. */
export const encodeTime = (at: number): Buffer => guardedEncode({ at }).subarray(1);

const loggedMessage = z.tuple([
  z.literal(LOG_UID),
  z.object({
    data: z.tuple([
      z.string(),
      z.unknown(),
      z.object({
        room: z.string(),
        epoch: z.string(),
        offset: z.number(),
        id: z.string(),
        at: z.number(),
        from: z.string().optional(),
      }),
    ]),
  }),
  z.object({
    allRooms: z.array(z.string()).max(LIMITS.roomsPerRequest).optional(),
    // Release 0.1 does not name it.
    publisher: z.string().default(''),
    exceptUsers: z.array(z.string()).optional(),
  }),
]);

/** Reads a decoded message of the bus as a logged event; undefined when it is not one. */
export function readLogged(decoded: unknown, bytes: number): LoggedEvent | undefined {
  const parsed = loggedMessage.safeParse(decoded);
  if (!parsed.success) return undefined;
  const [, { data }, { allRooms, publisher, exceptUsers }] = parsed.data;
  const [event, payload, { from, ...meta }] = data;
  return {
    event,
    data: payload,
    bytes,
    meta: { ...meta, ...(from !== undefined && { from }) },
    ...(allRooms && {
      rooms: allRooms,
      hearing: {
        publication: `${publisher}\n${meta.id}`,
        room: meta.room,
        at: meta.at,
        readAt: Date.now(),
      },
    }),
    ...(exceptUsers && { except: exceptUsers }),
  };
}

/** An entry of the log; its epoch is the room's, whatever it was when the entry was written. Never throws. */
export function readEntry(message: Buffer, { epoch, offset }: Position): LoggedEvent {
  const logged = tryToRead(message);
  if (logged !== undefined && logged.meta.offset === offset && !isProtocolEvent(logged.event))
    return { ...logged, meta: { ...logged.meta, epoch } };
  const meta = { room: '', epoch, offset, id: '', at: 0 };
  return { event: '', data: null, meta, bytes: message.length, isUnreadable: true };
}

const tryToRead = (message: Buffer): LoggedEvent | undefined => {
  try {
    return readLogged(guardedDecode(message), message.length);
  } catch {
    return undefined;
  }
};
