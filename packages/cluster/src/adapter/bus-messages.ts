import { isReservedBySocketIo } from '@fanfare/protocol';
import { decode } from 'notepack.io';
import { z } from 'zod';

/** What may arrive on the channels of `@socket.io/redis-adapter` 8.3.0, whoever sent it. */

const room = z.union([z.string(), z.number()]);
const target = z.looseObject({
  rooms: z.array(room),
  except: z.array(room).optional(),
});

/** A packet with a reserved event name would cut every stock client of the room off. */
const eventArguments = z
  .array(z.unknown())
  .min(1)
  .refine(([name]) => typeof name === 'string' && !isReservedBySocketIo(name));

const EVENT = 2;
const BINARY_EVENT = 5;
const packet = z.looseObject({
  type: z.literal([EVENT, BINARY_EVENT]),
  data: eventArguments,
  nsp: z.string().optional(),
});

const broadcast = z.tuple([z.string(), packet, target]);

/** The adapter's request types, by their number on the wire. */
const request = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal(0), requestId: z.string(), rooms: z.array(room) }),
  z.looseObject({ type: z.literal(1), requestId: z.string() }),
  z.looseObject({ type: z.literal(2), opts: target, rooms: z.array(room) }),
  z.looseObject({ type: z.literal(3), opts: target, rooms: z.array(room) }),
  z.looseObject({ type: z.literal(4), opts: target, close: z.boolean().optional() }),
  z.looseObject({ type: z.literal(5), requestId: z.string(), opts: target }),
  z.looseObject({ type: z.literal(6), data: eventArguments, requestId: z.string().optional() }),
  z.looseObject({ type: z.literal(7), requestId: z.string(), packet, opts: target }),
]);

const response = z.looseObject({ requestId: z.string() });

const OPENING_BRACE = 0x7b;

/** Server-side events that a namespace emits itself. */
const NAMESPACE_EVENTS: ReadonlySet<unknown> = new Set(['connect', 'connection', 'new_namespace']);

const parse = (message: Buffer): unknown =>
  message[0] === OPENING_BRACE ? JSON.parse(message.toString()) : decode(message);

/** Whether a broadcast message, already decoded, has the shape that the adapter relies on. */
export const isBroadcast = (decoded: unknown): boolean => broadcast.safeParse(decoded).success;

/** Whether the adapter can act on this request without tripping. */
export const isRequest = (message: Buffer): boolean => {
  try {
    const parsed = request.safeParse(parse(message));
    return parsed.success && !(parsed.data.type === 6 && NAMESPACE_EVENTS.has(parsed.data.data[0]));
  } catch {
    return false;
  }
};

/** Whether this answers a request. */
export const isResponse = (message: Buffer): boolean => {
  try {
    return response.safeParse(parse(message)).success;
  } catch {
    return false;
  }
};
