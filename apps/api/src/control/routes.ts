import { type ClusterPublisher, type GivenOrder, givenAt } from '@fanfare/cluster';
import { disconnectRequest, namespaceName, orderResponse, revocationRequest } from '@fanfare/protocol';
import { z } from 'zod';
import { checkNamespace, inNamespace, roomPath, userPath } from '../http/parameters.ts';
import { defineRoute, type Route } from '../http/route.ts';

interface ControlDeps {
  publisher: Pick<ClusterPublisher, 'order'>;
  namespaces: readonly string[];
}

const MAX_BYTES = 4096;

const EXAMPLE = { at: 1_794_000_000_000, until: 1_794_086_400_000 };

const IN_FORCE =
  'A 200 means that it is kept: every node that reaches Redis carries it out within 2 seconds, and one that was cut off ' +
  'before it tells anything logged. ';
const ERRORS = ['invalid_payload', 'not_found', 'unavailable'] as const;

const memberPath = roomPath.extend(userPath.shape);
const inOneNamespace = z.strictObject({ namespace: inNamespace });
const inSomeNamespace = z.strictObject({
  namespace: namespaceName.optional().describe('Only in this namespace; default: in all of them'),
});

/** Orders about users: who is in a room, whose session ends, which tokens open nothing any more. */
export const controlRoutes = (deps: ControlDeps): Route[] => [
  addRoute(deps),
  removeRoute(deps),
  disconnectRoute(deps),
  revocationRoute(deps),
];

const answerOf = (given: GivenOrder) => ({ at: givenAt(given), until: given.until });

const check = (namespaces: readonly string[], namespace: string | undefined): void => {
  if (namespace !== undefined) checkNamespace(namespaces, namespace);
};

const addRoute = ({ publisher, namespaces }: ControlDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/rooms/{room}/users/{user}',
    operation: 'addUser',
    tag: 'Users',
    summary: 'Make a user join a room',
    description:
      'All connected sockets of the user join the room, whatever their tokens say, and are told `room:joined` with ' +
      'its position. They stay members until they leave, disconnect or bring a token that does not allow the room. ' +
      'An earlier removal of the user from the room is lifted. Who is not connected now joins with a token that ' +
      `allows it. ${IN_FORCE}`,
    access: 'control',
    params: memberPath,
    query: inOneNamespace,
    answer: { schema: orderResponse, description: 'It is ordered.', example: EXAMPLE },
    errors: ERRORS,
    handle: async ({ params: { room, user }, query: { namespace } }) => {
      checkNamespace(namespaces, namespace);
      return answerOf(await publisher.order({ kind: 'add', room, user, namespace }));
    },
  });

const removeRoute = ({ publisher, namespaces }: ControlDeps): Route =>
  defineRoute({
    method: 'delete',
    path: '/v1/rooms/{room}/users/{user}',
    operation: 'removeUser',
    tag: 'Users',
    summary: 'Remove a user from a room',
    description:
      'All sockets of the user leave the room and are told `room:left`. Tokens that were issued (`iat`) before now, ' +
      'in the same second, or that do not say when, allow nothing in the room any more until `until`; newer tokens ' +
      `are not concerned. ${IN_FORCE}`,
    access: 'control',
    params: memberPath,
    query: inOneNamespace,
    answer: { schema: orderResponse, description: 'It is ordered.', example: EXAMPLE },
    errors: ERRORS,
    handle: async ({ params: { room, user }, query: { namespace } }) => {
      checkNamespace(namespaces, namespace);
      return answerOf(await publisher.order({ kind: 'remove', room, user, namespace }));
    },
  });

const disconnectRoute = ({ publisher, namespaces }: ControlDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/users/{user}/disconnect',
    operation: 'disconnectUser',
    tag: 'Users',
    summary: 'Close all connections of a user',
    description:
      'Every socket of the user is told `session:closing` and closed. With `reconnect` a stock client comes back by ' +
      'itself; without it does not, but nothing keeps the user from connecting again: revoke the tokens for that. ' +
      `The body may be left out. ${IN_FORCE}`,
    access: 'control',
    params: userPath,
    query: inSomeNamespace,
    body: {
      schema: disconnectRequest,
      isOptional: true,
      maxBytes: MAX_BYTES,
      examples: { back: { summary: 'To come back, on whichever node', value: { reconnect: true } } },
    },
    answer: { schema: orderResponse, description: 'It is ordered.', example: EXAMPLE },
    errors: ERRORS,
    handle: async ({ params: { user }, query: { namespace }, body: { reconnect } }) => {
      check(namespaces, namespace);
      const place = namespace === undefined ? {} : { namespace };
      return answerOf(await publisher.order({ kind: 'disconnect', user, reconnect, ...place }));
    },
  });

const revocationRoute = ({ publisher, namespaces }: ControlDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/revocations',
    operation: 'revoke',
    tag: 'Users',
    summary: 'Revoke tokens',
    description:
      'Of a `user`: all tokens that were issued (`iat`) before now, in the same second, or that do not say when. Of a ' +
      '`session`: all tokens with this `sid`, as those of one login on one device. Or one token by its `jti`. Their ' +
      'sockets are told `session:closing` and closed, and until `until` they open nothing: the answer to a handshake ' +
      `is \`token_revoked\`. ${IN_FORCE}`,
    access: 'control',
    body: {
      schema: revocationRequest,
      maxBytes: MAX_BYTES,
      examples: {
        user: { summary: 'All tokens of a user', value: { user: 'alice' } },
        session: { summary: 'The tokens of one login', value: { session: 'web-7f3a' } },
        token: { summary: 'One token', value: { jti: '9f86d081884c7d65' } },
      },
    },
    answer: { schema: orderResponse, description: 'They are revoked.', example: EXAMPLE },
    errors: ERRORS,
    handle: async ({ body: { user, session, jti, namespace } }) => {
      check(namespaces, namespace);
      const place = namespace === undefined ? {} : { namespace };
      if (user !== undefined) return answerOf(await publisher.order({ kind: 'revoke-user', user, ...place }));
      if (session !== undefined)
        return answerOf(await publisher.order({ kind: 'revoke-session', session, ...place }));
      return answerOf(await publisher.order({ kind: 'revoke-token', jti: jti ?? '', ...place }));
    },
  });
