import { checkPayload, isProtocolEvent } from '@fanfare/protocol';
import { z } from 'zod';
import { guardedDecode } from './msgpack.ts';

/** What may arrive on the channels of `@socket.io/redis-adapter` 8.3.0, whoever sent it. */

const room = z.union([z.string(), z.number()]);
const target = z.looseObject({
  rooms: z.array(room),
  except: z.array(room).optional(),
  flags: z
    .looseObject({
      timeout: z.number().optional(),
      volatile: z.boolean().optional(),
      compress: z.boolean().optional(),
      // Ours; a stock node takes no notice of them.
      droppable: z.boolean().optional(),
      conflate: z.string().optional(),
    })
    .nullish(),
});

/** A reserved name would cut every stock client of the room off; one of the contract would pass for the gateway's own. */
const eventArguments = z.tuple([z.string().refine((name) => !isProtocolEvent(name))], z.unknown());

const EVENT = 2;
const BINARY_EVENT = 5;
const packet = z.looseObject({
  // Old emitters say when there is binary data, and Socket.IO looks by itself: it would announce a number of parts that
  // is not known, and every stock client that hears of it closes its connection.
  type: z.literal([EVENT, BINARY_EVENT]).transform(() => EVENT),
  data: eventArguments,
  nsp: z.string().optional(),
});

const broadcast = z.tuple([z.string(), packet, target]);

/** Request types by their number on the wire. */
export const REQUEST = {
  sockets: 0,
  allRooms: 1,
  join: 2,
  leave: 3,
  disconnect: 4,
  fetch: 5,
  serverSideEmit: 6,
  broadcast: 7,
  clientCount: 8,
  ack: 9,
} as const;

const request = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal(0),
    uid: z.string().optional(),
    requestId: z.string(),
    rooms: z.array(room),
  }),
  z.looseObject({ type: z.literal(1), uid: z.string().optional(), requestId: z.string() }),
  z.looseObject({ type: z.literal(2), uid: z.string().optional(), opts: target, rooms: z.array(z.string()) }),
  z.looseObject({ type: z.literal(3), uid: z.string().optional(), opts: target, rooms: z.array(z.string()) }),
  z.looseObject({
    type: z.literal(4),
    uid: z.string().optional(),
    opts: target,
    close: z.boolean().optional(),
  }),
  z.looseObject({ type: z.literal(5), uid: z.string().optional(), requestId: z.string(), opts: target }),
  z.looseObject({
    type: z.literal(6),
    uid: z.string().optional(),
    data: eventArguments,
    requestId: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal(7),
    uid: z.string().optional(),
    requestId: z.string(),
    packet,
    opts: target,
  }),
]);

const response = z.union([
  z.looseObject({ type: z.literal(8), requestId: z.string(), clientCount: z.int() }),
  z.looseObject({ type: z.literal(9), requestId: z.string(), packet: z.unknown() }),
  z.looseObject({ type: z.literal(6), requestId: z.string(), data: z.unknown() }),
  z.looseObject({ requestId: z.string(), sockets: z.array(z.unknown()) }),
  z.looseObject({ requestId: z.string(), rooms: z.array(z.string()) }),
  z.looseObject({ requestId: z.string() }),
]);

export type BusBroadcast = z.output<typeof broadcast>;
export type BusRequest = z.output<typeof request>;
export type BusTarget = z.output<typeof target>;

const JSON_BOUNDS = { entries: Infinity, size: Infinity, textLength: Infinity };

const OPENING_BRACE = 0x7b;

/** Server-side events that a namespace emits itself. */
const NAMESPACE_EVENTS: ReadonlySet<unknown> = new Set(['connect', 'connection', 'new_namespace']);

const read = (message: Buffer): unknown => {
  if (message[0] !== OPENING_BRACE) return guardedDecode(message);
  const value: unknown = JSON.parse(message.toString());
  // The answer of a node with many sockets is long; what recurses over it minds the depth alone.
  checkPayload(value, JSON_BOUNDS);
  return value;
};

/** A broadcast; throws on anything else. */
export const readBroadcast = (message: Buffer): BusBroadcast => broadcast.parse(guardedDecode(message));

/** A request that can be acted on without tripping; throws on anything else. */
export const readRequest = (message: Buffer): BusRequest => {
  const parsed = request.parse(read(message));
  if (parsed.type === 6 && NAMESPACE_EVENTS.has(parsed.data[0]))
    throw new TypeError('A namespace emits this event itself');
  return parsed;
};

/** The answer to a request; throws on anything else. */
export const readResponse = (message: Buffer) => response.parse(read(message));
