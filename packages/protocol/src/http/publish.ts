import { z } from 'zod';
import { conflationKey, eventData } from '../events/events.ts';
import { LIMITS } from '../limits.ts';
import { eventId, eventName, namespaceName, sharedRoomName, userName } from '../names.ts';

const namespace = namespaceName.default('/').describe('The namespace that the rooms belong to');
const id = eventId.describe(
  'Id of the event, told to clients as meta.id; a retry with the same id never doubles a logged event. The cluster makes one when there is none',
);

const event = eventName.describe('Name of the event, in the past tense by custom: task:created');
const data = eventData.describe('Any JSON, at most 64 KB');

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

export const retryAfterMs = z
  .number()
  .optional()
  .describe('Wait before another try, in ms; where it is known');
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

/** Answer to a batch of which every command succeeded. */
export const batchResponse = z
  .object({ results: z.array(publishResponse).describe('One for each command, in order') })
  .meta({ id: 'BatchResponse' });
export type BatchResponse = z.infer<typeof batchResponse>;
