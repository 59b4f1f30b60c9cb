import { LIMITS, namespaceName, roomName, type TokenClaims } from '@fanfare/protocol';
import { z } from 'zod';

const value = z.string().min(1).max(256);
/** Absent: in every namespace. */
const namespace = namespaceName.optional();

/** What a backend orders about a user, wherever the sockets of that user are. */
const order = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('revoke-user'), user: value, namespace }),
  z.object({ kind: z.literal('revoke-token'), jti: value, namespace }),
  z.object({ kind: z.literal('revoke-session'), session: value, namespace }),
  z.object({ kind: z.literal('disconnect'), user: value, namespace, reconnect: z.boolean() }),
  z.object({ kind: z.literal('remove'), user: value, room: roomName, namespace: namespaceName }),
  z.object({ kind: z.literal('add'), user: value, room: roomName, namespace: namespaceName }),
]);
export type Order = z.infer<typeof order>;

/** An order that was given: later ones have a higher number. */
export const givenOrder = z.object({
  /** µs since 1970 by the clock of whoever keeps the orders, raised where two would be equal. */
  number: z.int().positive(),
  /** Until when it is remembered, in ms since 1970. */
  until: z.int().positive(),
  order,
});
export type GivenOrder = z.infer<typeof givenOrder>;

/** When an order was given, in ms since 1970. */
export const givenAt = ({ number }: Pick<GivenOrder, 'number'>): number => Math.floor(number / 1000);

/** What a token says of itself that an order can name. */
export type TokenIdentity = Pick<TokenClaims, 'sub' | 'iat' | 'jti' | 'sid'>;

// Only the last part of a subject may hold a space.
const EVERYWHERE = '*';

/** What revocations of a token are kept under, in a namespace or in all. */
export const revocationSubjects = ({ sub, jti, sid }: TokenIdentity, namespace: string): string[] =>
  [namespace, EVERYWHERE].flatMap((place) => [
    `user ${place} ${sub}`,
    ...(jti === undefined ? [] : [`token ${place} ${jti}`]),
    ...(sid === undefined ? [] : [`session ${place} ${sid}`]),
  ]);

export const memberSubject = (place: { namespace: string; room: string }, user: string): string =>
  `member ${place.namespace} ${place.room} ${user}`;

/** What an order is about: a later one about the same takes its place. */
export const subjectOf = (given: Order): string => {
  const place = given.namespace ?? EVERYWHERE;
  switch (given.kind) {
    case 'revoke-user':
      return `user ${place} ${given.user}`;
    case 'revoke-token':
      return `token ${place} ${given.jti}`;
    case 'revoke-session':
      return `session ${place} ${given.session}`;
    case 'disconnect':
      return `disconnect ${place} ${given.user}`;
    case 'remove':
    case 'add':
      return memberSubject(given, given.user);
  }
};

/** How long an order is remembered that is done once it is carried out, in ms: for nodes that are cut off meanwhile. */
export const ACTION_LIFE_MS = 600_000;

/** How long an order is remembered, in ms: longer than any node takes a token that was issued before it. */
export const lifeOf = (given: Order, longestTokenMs: number): number =>
  isLasting({ order: given }) ? longestTokenMs + LIMITS.toleranceMs : ACTION_LIFE_MS;

/** Adding lifts a removal and disconnecting leaves nothing behind; the others stay in force as long as tokens live. */
export const isLasting = ({ order: { kind } }: { order: Pick<Order, 'kind'> }): boolean =>
  kind !== 'add' && kind !== 'disconnect';
