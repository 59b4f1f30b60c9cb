import type { ClusterPublisher } from '@fanfare/cluster';
import { AppError, LIMITS, presencePage } from '@fanfare/protocol';
import { z } from 'zod';
import { checkNamespace, inNamespace, presetNumber, roomPath } from '../http/parameters.ts';
import { defineRoute, type Route } from '../http/route.ts';

const MOST = 1000;

/** `GET /v1/rooms/{room}/presence`. */
export const presenceRoute = (deps: {
  /** Absent where there is neither Redis nor a primary that keeps it. */
  presence: ClusterPublisher['presence'];
  namespaces: readonly string[];
}): Route =>
  defineRoute({
    method: 'get',
    path: '/v1/rooms/{room}/presence',
    operation: 'getPresence',
    tag: 'Rooms',
    summary: 'List who is in a room',
    description:
      'Users in the order of their names, each once however many sockets they have, and how many there are on all ' +
      'nodes. `limit=0` only counts. Who comes or goes while you read may be missing or still there.',
    access: 'read',
    params: roomPath,
    query: z.strictObject({
      cursor: z.string().max(LIMITS.userLength).optional().describe('`next` of the page before'),
      limit: presetNumber(LIMITS.presencePage, { min: 0, max: MOST }).describe('Most members of the answer'),
      namespace: inNamespace,
    }),
    answer: {
      schema: presencePage,
      description: 'A page of members.',
      example: {
        members: [{ user: 'alice', info: { name: 'Alice' } }, { user: 'bob' }],
        count: 1200,
        version: 1_794_000_000_000_017,
        next: 'bob',
      },
    },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    handle: async ({ params: { room }, query: { cursor, limit, namespace } }) => {
      checkNamespace(deps.namespaces, namespace);
      if (deps.presence === undefined) {
        throw new AppError('not_found', 'The api has no Redis, so it does not know who is in a room');
      }
      return deps.presence({ namespace, room }, { after: cursor, limit });
    },
  });
