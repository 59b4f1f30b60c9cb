import type { ClusterPublisher } from '@fanfare/cluster';
import { AppError, LIMITS, publishRequest, publishResponse } from '@fanfare/protocol';
import { type RequestOutcome, type Route, writeRoute } from '../http/route.ts';

/** Nodes and clients walk `data` recursively. */
const MAX_DEPTH = 100;

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

const checkData = (data: unknown): void => {
  if (isDeeper(data, MAX_DEPTH)) {
    throw new AppError('invalid_payload', `"data": nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Buffer.byteLength(JSON.stringify(data)) > LIMITS.eventBytes) {
    throw new AppError('payload_too_large', `"data": more than ${LIMITS.eventBytes} bytes of JSON`);
  }
};

/** `POST /v1/publish`. */
export const publishRoutes = (deps: {
  publisher: Pick<ClusterPublisher, 'publish'>;
  namespaces: readonly string[];
  observe: (outcome: RequestOutcome) => void;
}): Route[] => [
  writeRoute({
    method: 'post',
    path: '/v1/publish',
    operation: 'publish',
    tag: 'Publishing',
    summary: 'Publish an event to a room, or to several',
    description:
      'Every member of the room hears it, on whichever node it is: `socket.on(event, (data, meta) => …)`. ' +
      'Give either `room` or `rooms`; a socket that is in several of them hears the event once. ' +
      'Events are ephemeral: who is not connected does not hear them later.',
    access: 'api-key',
    body: {
      schema: publishRequest,
      examples: {
        room: {
          summary: 'To one room',
          value: { room: 'project:42', event: 'task:created', data: { id: 7, title: 'Write the report' } },
        },
        rooms: {
          summary: 'To several rooms, but not to the members of another',
          value: {
            rooms: ['project:42', 'team:design'],
            except: ['muted:project-42'],
            event: 'task:created',
            data: { id: 7, title: 'Write the report' },
          },
        },
      },
    },
    answer: {
      schema: publishResponse,
      description: 'The cluster has taken the event; one result per room.',
      example: { results: [{ room: 'project:42', epoch: '', offset: null, duplicate: false }] },
    },
    errors: ['invalid_payload', 'payload_too_large', 'not_found', 'unavailable'],
    observe: deps.observe,
    handle: async ({ room, rooms = [], event, data, id, except = [], namespace }) => {
      if (!deps.namespaces.includes(namespace)) {
        throw new AppError('not_found', `There is no namespace "${namespace}" in this cluster`);
      }
      checkData(data);
      const targets = [...new Set(room === undefined ? rooms : [room])];
      await deps.publisher.publish({ namespace, rooms: targets, except, event, data, id });
      return { results: targets.map((name) => ({ room: name, epoch: '', offset: null, duplicate: false })) };
    },
  }),
];
