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
import { RedisPresence, readPresence } from './redis-store.ts';
import type { PresenceChange } from './store.ts';

/** What a node of release 0.1 tells of a room's presence and keeps of it, recorded; both releases write it in a roll. */
const { presence: recorded } = z
  .object({
    presence: z.object({
      told: z.array(z.string()),
      members: z.record(z.string(), z.string()),
      order: z.array(z.string()),
      lease: z.string(),
      holds: z.array(z.string()),
      rooms: z.array(z.string()),
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('../../test/wire-0.1.json', import.meta.url), 'utf8')));

const PLACE = { namespace: '/', room: 'recorded:1' };
const CHANNEL = keys.presenceChannel('/', PLACE.room);
const ALICE = { user: 'alice', info: { name: 'Älice' } };
const MEMBERS = [ALICE, { user: 'bob' }, { user: 'carol' }];
const FIRST = 1_760_000_000_000_000;

let stack: AsyncDisposableStack;
let link: RedisLink;
/** The node of the other release. */
let other: Redis;
let hears: Redis;
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const connect = () => stack.adopt(new Redis(redis.url), (client) => client.disconnect());
  [other, hears] = [connect(), connect()];
  link = stack.use(await openLink(redis.url));
});
afterAll(() => stack.disposeAsync());
beforeEach(() => other.flushall());

const ignore = () => undefined;

/** A process of this release. */
const open = async (node: string, incarnation: string) => {
  await using own = new AsyncDisposableStack();
  const observer = { publishDropped: ignore, missed: ignore, partialAnswer: ignore, roomReset: ignore };
  const bus = own.use(new Bus(link, { ...observer, invalidMessage: ignore }));
  const store = own.use(
    new RedisPresence({
      link,
      bus,
      process: { node, worker: '0', incarnation },
      listMax: 2,
      graceMs: 500,
      observe: { leaseEnded: ignore, leaseReplaced: ignore },
    }),
  );
  const changes: PresenceChange[] = [];
  await store.listen(PLACE, (change) => changes.push(change));
  const owned = own.move();
  return { store, changes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
};

/** Writes what was recorded, held by a lease that runs out at a time in ms. */
const writeRoom = async (ends: number): Promise<void> => {
  const { members, order, lease, holds, rooms } = recorded;
  await other.hset(keys.presentMembers('/', PLACE.room), members);
  await other.call('ZADD', keys.presentOrder('/', PLACE.room), ...[...order].reverse());
  await other.sadd(keys.presentLease(PLACE, lease), ...holds);
  await other.sadd(keys.presenceRooms(lease), ...rooms);
  await other.zadd(keys.presenceLeases, ends, lease);
  await other.set(keys.presencePulse, Date.now());
};

it('changes that release 0.1 tells are understood', async () => {
  await using node = await open('next', 'x');
  for (const message of recorded.told) await other.publish(CHANNEL, message);
  await eventually(() =>
    expect(node.changes).toEqual([
      { version: FIRST, count: 1, joined: [ALICE], left: [] },
      { version: FIRST + 1, count: 1, joined: [{ user: 'bob' }], left: ['alice'] },
      { version: FIRST + 2, count: 2, joined: [ALICE], left: [] },
      { version: FIRST + 3, count: 3 },
    ]),
  );
});

it('a room that release 0.1 keeps is read, and changed by both releases', async () => {
  await writeRoom(Date.now() + 600_000);
  const page = { members: MEMBERS, count: 3, version: FIRST + 3 };
  expect(await readPresence(link.pub, PLACE, { limit: 10 })).toEqual(page);
  await using node = await open('next', 'x');
  node.store.hold(PLACE, ALICE);
  node.store.hold(PLACE, { user: 'dave' });
  await eventually(() => expect(node.changes).toEqual([{ version: FIRST + 4, count: 4 }]));
  expect(await other.hget(keys.presentMembers('/', PLACE.room), 'alice')).toBe('2 {"name":"Älice"}');
});

it('what a process of release 0.1 held is taken off when its lease has run out', async () => {
  await using node = await open('next', 'x');
  await writeRoom(Date.now() - 1);
  await eventually(() => expect(node.changes).toMatchObject([{ version: FIRST + 4, count: 0, joined: [] }]));
  expect(node.changes[0]?.left?.sort()).toEqual(recorded.holds);
});

it('changes are told, and a room is kept, as release 0.1 reads them', async () => {
  const told: string[] = [];
  hears.on('message', (_channel, message) => told.push(message));
  await hears.subscribe(CHANNEL);
  const [node = '', , incarnation = ''] = recorded.lease.replace(/\.1$/, '').split('/');
  await using own = await open(node, incarnation);
  const { store } = own;
  const afterwards = (changes: number) => eventually(() => expect(told).toHaveLength(changes));
  store.hold(PLACE, ALICE);
  await afterwards(1);
  store.hold(PLACE, { user: 'bob' });
  store.release(PLACE, 'alice');
  await afterwards(2);
  store.hold(PLACE, ALICE);
  await afterwards(3);
  store.hold(PLACE, { user: 'carol' });
  await afterwards(4);
  expect(withoutTimes(told)).toEqual(withoutTimes(recorded.told));
  const members = await other.hgetall(keys.presentMembers('/', PLACE.room));
  expect(withoutTimes(members)).toEqual(withoutTimes(recorded.members));
  expect(await other.zrange(keys.presentOrder('/', PLACE.room), '0', '-1', 'WITHSCORES')).toEqual(
    recorded.order,
  );
  // A process numbers its leases, and may have had one before its subscriptions stood.
  const [lease = ''] = await other.zrange(keys.presenceLeases, '0', '-1');
  expect(lease.replace(/\d+$/, '1')).toBe(recorded.lease);
  expect((await other.smembers(keys.presentLease(PLACE, lease))).sort()).toEqual(recorded.holds);
  expect(await other.smembers(keys.presenceRooms(lease))).toEqual(recorded.rooms);
});

it('what a later release adds to a change is passed over', async () => {
  await using node = await open('next', 'x');
  const [first = ''] = recorded.told;
  const later = { ...z.looseObject({}).parse(JSON.parse(first)), later: 1 };
  await other.publish(CHANNEL, JSON.stringify(later));
  await eventually(() => expect(node.changes).toMatchObject([{ version: FIRST, count: 1, joined: [ALICE] }]));
});
