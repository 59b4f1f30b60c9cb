import { z } from 'zod';
import { conflationKey, roomEvent } from '../events/events.ts';
import { LIMITS } from '../limits.ts';
import { eventName, namespaceName, sharedRoomName, userName } from '../names.ts';

const namespace = namespaceName.default('/').describe('The namespace that the rooms belong to');
const id = z
  .string()
  .min(1)
  .max(LIMITS.idLength)
  .describe(
    'Id of the event, told to clients as meta.id; a retry with the same id never doubles a logged event. The cluster makes one when there is none',
  );

const event = eventName.describe('Name of the event, in the past tense by custom: task:created');
const data = z.unknown().describe('Any JSON, at most 64 KB');

/** `POST /v1/publish` */
export const publishRequest = z
  .strictObject({
    room: sharedRoomName.optional().describe('The room; or use rooms, or user'),
    rooms: z
      .array(sharedRoomName)
      .min(1)
      .max(LIMITS.roomsPerRequest)
      .optional()
      .describe('Several rooms; a socket in several of them hears it once'),
    user: userName.optional().describe('The user (`sub`) whose inbox it goes to'),
    event,
    data,
    id: id.optional(),
    except: z
      .array(z.string().min(1).max(LIMITS.userLength))
      .max(LIMITS.roomsPerRequest)
      .optional()
      .describe('Who does not hear it: of a logged event users, of an ephemeral one users or rooms'),
    ephemeral: z
      .boolean()
      .optional()
      .describe('Not logged: no offset, and lost for who is away. Without Redis every event is'),
    conflate: conflationKey
      .optional()
      .describe(
        'Of an ephemeral event: while it waits for a slow socket, a newer one of the same room, event and key takes its place',
      ),
    namespace,
  })
  .refine(
    ({ room, rooms, user }) => [room, rooms, user].filter((target) => target !== undefined).length === 1,
    'give one of room, rooms and user',
  )
  .refine(
    ({ conflate, ephemeral }) => conflate === undefined || ephemeral === true,
    'conflate goes with ephemeral: true only, as what is logged is never replaced',
  )
  .meta({ id: 'PublishRequest' });
export type PublishRequest = z.input<typeof publishRequest>;

/** `POST /v1/users/{user}/publish` */
export const userPublishRequest = z
  .strictObject({ event, data, id: id.optional(), namespace })
  .meta({ id: 'UserPublishRequest' });

const retryAfterMs = z.number().optional().describe('Wait before another try, in ms; where it is known');
const wireError = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs,
});

const publishedRoom = z
  .object({
    room: z.string(),
    epoch: z.string().describe('Epoch of the room; empty for an ephemeral event'),
    offset: z.int().nullable().describe('Position in the log; null for an ephemeral event'),
    duplicate: z.boolean().describe('The id was known: the position is that of the first time'),
  })
  .meta({ id: 'PublishedRoom' });

/** What became of a publish in one of its rooms. */
export const publishResult = z.union([
  publishedRoom,
  z.object({ room: z.string(), error: wireError }).meta({ id: 'RefusedRoom' }),
]);
export type PublishResult = z.infer<typeof publishResult>;

/** Answer to a publish that succeeded in all of its rooms. */
export const publishResponse = z.object({ results: z.array(publishedRoom) }).meta({ id: 'PublishResponse' });
export type PublishResponse = z.infer<typeof publishResponse>;

/** `POST /v1/batch`: publishes, in order. */
export const batchRequest = z
  .strictObject({ commands: z.array(publishRequest).min(1).max(LIMITS.batchCommands) })
  .meta({ id: 'BatchRequest' });
export type BatchRequest = z.input<typeof batchRequest>;

/** What became of one command: `error` when it was refused as a whole, before any room was looked at. */
export const batchResult = z.union([
  z.object({ results: z.array(publishResult) }),
  z.object({ error: wireError }),
]);
export type BatchResult = z.infer<typeof batchResult>;

export const batchResponse = z
  .object({ results: z.array(publishResponse).describe('One for each command, in order') })
  .meta({ id: 'BatchResponse' });
export type BatchResponse = z.infer<typeof batchResponse>;

/** An event of a room's past, with the users who do not hear it. */
const pastEvent = roomEvent.extend({ except: z.array(z.string()).optional() }).meta({ id: 'PastEvent' });

/** `GET /v1/rooms/{room}/history` */
export const historyResponse = z
  .object({
    epoch: z.string().describe('Epoch of the room now; empty when nobody has published to it'),
    offset: z.int().describe('Position of the newest event of the room'),
    recovered: z
      .boolean()
      .describe('`since` was given, is of this epoch, and no event between it and `events` is missing'),
    events: z.array(pastEvent),
  })
  .meta({ id: 'HistoryResponse' });
export type HistoryResponse = z.infer<typeof historyResponse>;

/** `DELETE /v1/rooms/{room}/history` */
export const clearHistoryResponse = z
  .object({ deleted: z.int().describe('How many events there were') })
  .meta({ id: 'ClearHistoryResponse' });
export type ClearHistoryResponse = z.infer<typeof clearHistoryResponse>;

/** `GET /v1/rooms` */
export const roomsResponse = z
  .object({
    rooms: z.array(z.object({ room: z.string(), epoch: z.string(), offset: z.int() })),
    next: z.string().optional().describe('Cursor of the next page; absent on the last one'),
  })
  .meta({ id: 'RoomsResponse' });
export type RoomsResponse = z.infer<typeof roomsResponse>;

const subject = z.string().min(1).max(LIMITS.userLength).optional();

/** `POST /v1/revocations` */
export const revocationRequest = z
  .strictObject({
    user: subject.describe('All tokens of this `sub` that were issued before now'),
    session: subject.describe('All tokens with this `sid`'),
    jti: subject.describe('The token with this `jti`'),
    namespace: namespaceName.optional().describe('Only in this namespace; default: in all of them'),
  })
  .refine(
    ({ user, session, jti }) => [user, session, jti].filter((one) => one !== undefined).length === 1,
    'give one of user, session and jti',
  )
  .meta({ id: 'RevocationRequest' });
export type RevocationRequest = z.input<typeof revocationRequest>;

/** `POST /v1/users/{user}/disconnect` */
export const disconnectRequest = z
  .strictObject({
    reconnect: z.boolean().default(false).describe('Whether the clients are to come back'),
  })
  .meta({ id: 'DisconnectRequest' });
export type DisconnectRequest = z.input<typeof disconnectRequest>;

/** Answer to an order about a user. */
export const orderResponse = z
  .object({
    at: z.int().describe('When it was given, in ms since 1970: tokens issued later are not concerned'),
    until: z.int().describe('Until when it is remembered, in ms since 1970'),
  })
  .meta({ id: 'OrderResponse' });
export type OrderResponse = z.infer<typeof orderResponse>;

/** What one worker process of a node says of itself with every heartbeat. */
export const nodeReport = z
  .object({
    node: z.string().describe('Id of the node; it ends the session ids of its sockets'),
    worker: z.string().describe('Which process of the node'),
    incarnation: z.string().describe('Random for each start of the process'),
    version: z.string(),
    startedAt: z.number().describe('ms since 1970'),
    connections: z.int(),
    users: z.int().default(0).describe('Users with a socket here; each socket without a token is one'),
    receivedPerSecond: z.number().describe('Events from clients, mean since the last heartbeat'),
    sentPerSecond: z.number().describe('Packets to clients, mean since the last heartbeat'),
  })
  .meta({ id: 'NodeReport' });
export type NodeReport = z.infer<typeof nodeReport>;

/** `GET /v1/cluster` */
export const clusterResponse = z
  .object({
    mode: z.enum(['redis', 'single']).describe('single: workers of one machine, nothing is logged'),
    connections: z.int().describe('Sockets connected to all nodes'),
    users: z
      .int()
      .describe(
        'Different users on all nodes; with several processes an estimate, off by 1 or 2 % at most times',
      ),
    nodes: z.array(nodeReport),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'ClusterResponse' });
export type ClusterResponse = z.infer<typeof clusterResponse>;

/** Every error answer: RFC 9457, `application/problem+json`. */
export const problem = z
  .object({
    type: z.string().describe('A link to the row of the error table'),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    retryable: z.boolean(),
    retryAfterMs,
    detail: z.string().optional(),
    results: z
      .union([z.array(publishResult), z.array(batchResult)])
      .optional()
      .describe('What became of each room, or of each command of a batch, where some of them succeeded'),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
