import { readFileSync } from 'node:fs';
import { eventually, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { withoutTimes } from '../../test/fixtures.ts';
import { openLink } from '../../test/open-link.ts';
import { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { FollowedOrders } from './follow.ts';
import type { GivenOrder, Order } from './order.ts';
import { Orders } from './orders.ts';

/** What a node of release 0.1 tells of orders and keeps of them, recorded; both releases follow and give them in a roll. */
const { orders: recorded } = z
  .object({
    orders: z.object({
      told: z.array(z.string()),
      numbers: z.array(z.string()),
      ends: z.array(z.string()),
      given: z.record(z.string(), z.string()),
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('../../test/wire-0.1.json', import.meta.url), 'utf8')));

const ORDERS: readonly Order[] = [
  { kind: 'revoke-user', user: 'alice' },
  { kind: 'revoke-user', user: 'alice', namespace: '/chat' },
  { kind: 'revoke-token', jti: 't-1' },
  { kind: 'revoke-session', session: 's-1' },
  { kind: 'disconnect', user: 'bob', reconnect: true },
  { kind: 'remove', user: 'bob', room: 'recorded:1', namespace: '/' },
  { kind: 'add', user: 'carol', room: 'recorded:1', namespace: '/' },
];
const isLasting = ({ kind }: Order): boolean => kind !== 'disconnect' && kind !== 'add';

let stack: AsyncDisposableStack;
let link: RedisLink;
/** The node of the other release. */
let other: Redis;
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  other = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
  link = stack.use(await openLink(redis.url));
});
afterAll(() => stack.disposeAsync());
beforeEach(() => other.flushall());

const ignore = () => undefined;

/** A node that follows the orders, and what it has carried out. */
const follow = async () => {
  await using own = new AsyncDisposableStack();
  let invalid = 0;
  const invalidMessage = () => {
    invalid += 1;
  };
  const observer = { publishDropped: ignore, missed: ignore, partialAnswer: ignore, roomReset: ignore };
  const bus = own.use(new Bus(link, { ...observer, invalidMessage }));
  const followed = own.use(new FollowedOrders({ orders: new Orders(link), bus }));
  const carriedOut: Order[] = [];
  followed.follow((given: readonly GivenOrder[]) => carriedOut.push(...given.map(({ order }) => order)));
  await followed.known;
  await bus.settled();
  const owned = own.move();
  return {
    followed,
    carriedOut,
    invalid: () => invalid,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

it('orders that release 0.1 tells are carried out as they come', async () => {
  await using node = await follow();
  for (const message of recorded.told) await other.publish(keys.orderChannel, message);
  await eventually(() => expect(node.carriedOut).toEqual(ORDERS));
  expect(node.invalid()).toBe(0);
  expect(node.followed.standing.size).toBe(ORDERS.filter(isLasting).length);
});

it('orders that release 0.1 keeps stand from the start', async () => {
  const rows = (flat: readonly string[]) => [...flat].reverse();
  await other.call('ZADD', keys.orderNumbers, ...rows(recorded.numbers));
  await other.call('ZADD', keys.orderEnds, ...rows(recorded.ends));
  await other.hset(keys.orders, recorded.given);
  await using node = await follow();
  await eventually(() => expect(node.carriedOut).toEqual(ORDERS.filter(isLasting)));
  expect(node.followed.standing.size).toBe(ORDERS.filter(isLasting).length);
});

it('orders are told and kept as release 0.1 reads them', async () => {
  const told: string[] = [];
  using hears = Object.assign(other.duplicate(), { [Symbol.dispose]: () => hears.disconnect() });
  hears.on('message', (_channel, message) => told.push(message));
  await hears.subscribe(keys.orderChannel);
  for (const order of ORDERS) await new Orders(link).give(order);
  await eventually(() => expect(withoutTimes(told)).toEqual(withoutTimes(recorded.told)));
  expect(withoutTimes(await other.hgetall(keys.orders))).toEqual(withoutTimes(recorded.given));
  const subjects = (flat: readonly string[]) => flat.filter((_, i) => i % 2 === 0);
  expect(await other.zrange(keys.orderNumbers, '0', '-1')).toEqual(subjects(recorded.numbers));
  expect((await other.zrange(keys.orderEnds, '0', '-1')).sort()).toEqual(subjects(recorded.ends).sort());
});

it('what a later release adds to an order is passed over', async () => {
  await using node = await follow();
  const [first = ''] = recorded.told;
  const { before, given } = z
    .object({ before: z.number(), given: z.looseObject({ order: z.looseObject({}) }) })
    .parse(JSON.parse(first));
  const later = { ...given, order: { ...given.order, later: 1 }, later: 1 };
  await other.publish(keys.orderChannel, JSON.stringify({ before, given: later, later: 1 }));
  await eventually(() => expect(node.carriedOut).toEqual(ORDERS.slice(0, 1)));
});
