import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { eventName, namespaceName, roomName } from './names.ts';

const namespace = namespaceName.default('/').describe('The namespace that the rooms belong to');
const id = z
  .string()
  .min(1)
  .max(LIMITS.idLength)
  .describe('Id of the event, told to clients as meta.id; the cluster makes one when there is none');

/** `POST /v1/publish` */
export const publishRequest = z
  .strictObject({
    room: roomName.optional().describe('The room, or use rooms'),
    rooms: z
      .array(roomName)
      .min(1)
      .max(LIMITS.roomsPerRequest)
      .optional()
      .describe('Several rooms; a socket in several of them hears it once'),
    event: eventName.describe('Name of the event, in the past tense by custom: task:created'),
    data: z.unknown().describe('Any JSON, at most 64 KB'),
    id: id.optional(),
    except: z
      .array(roomName)
      .max(LIMITS.roomsPerRequest)
      .optional()
      .describe('Rooms whose members do not hear it'),
    ephemeral: z
      .boolean()
      .optional()
      .describe('Changes nothing: every event is ephemeral, that is not logged and lost for who is away'),
    namespace,
  })
  .refine((body) => (body.room === undefined) !== (body.rooms === undefined), 'give either room or rooms')
  .meta({ id: 'PublishRequest' });
export type PublishRequest = z.infer<typeof publishRequest>;

export const publishResponse = z
  .object({
    results: z.array(
      z.object({
        room: z.string(),
        epoch: z.string().describe('Epoch of the room; empty for an ephemeral event'),
        offset: z.int().nullable().describe('Position in the log; null for an ephemeral event'),
        duplicate: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'PublishResponse' });
export type PublishResponse = z.infer<typeof publishResponse>;

/** What one worker process of a node says of itself with every heartbeat. */
export const nodeReport = z
  .object({
    node: z.string().describe('Id of the node; it ends the session ids of its sockets'),
    worker: z.string().describe('Which process of the node'),
    incarnation: z.string().describe('Random for each start of the process'),
    version: z.string(),
    startedAt: z.number().describe('ms since 1970'),
    connections: z.int(),
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
    detail: z.string().optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
