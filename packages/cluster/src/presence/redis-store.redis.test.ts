import { eventually, RedisCluster, RedisServer } from '@fanfare/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { presenceContract } from '../../test/presence-contract.ts';
import { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import { connectRedis } from '../redis/link.ts';
import { redisUrl } from '../redis/url.ts';
import { RedisPresence } from './redis-store.ts';
import { type Holding, type Member, type Place, type PresenceChange, placeKey } from './store.ts';

let server: RedisServer;
let stack: AsyncDisposableStack;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

const ignore = () => undefined;
const observer = {
  publishDropped: ignore,
  missed: ignore,
  invalidMessage: ignore,
  partialAnswer: ignore,
  roomReset: ignore,
};

const observe = { leaseEnded: ignore, leaseReplaced: ignore };

/** Remembers what it holds, as a gateway does: a connection that is made late has the store ask for it. */
const remembering = (store: RedisPresence): RedisPresence => {
  const held = new Map<string, Holding>();
  store.holdFrom(() => held.values());
  const keyOf = ({ namespace, room }: Place, user: string) => `${namespace} ${room} ${user}`;
  const [hold, release] = [store.hold.bind(store), store.release.bind(store)];
  return Object.assign(store, {
    hold: (place: Place, member: Member) => {
      held.set(keyOf(place, member.user), { ...place, members: [member] });
      hold(place, member);
    },
    release: (place: Place, user: string) => {
      held.delete(keyOf(place, user));
      release(place, user);
    },
  });
};

let processes = 0;

/** One process of a cluster, with what it holds. */
const open = (own: { node?: string; listMax?: number; url?: string } = {}) => {
  processes += 1;
  const link = stack.use(
    connectRedis({ target: redisUrl.parse(own.url ?? server.url), name: 'test', onChange: ignore }),
  );
  const bus = stack.use(new Bus(link, observer));
  const process = { node: own.node ?? `n${processes}`, worker: '0', incarnation: `x${processes}` };
  const store = new RedisPresence({ link, bus, process, listMax: own.listMax ?? 200, graceMs: 500, observe });
  const listen = store.listen.bind(store);
  return Object.assign(remembering(stack.use(store)), {
    node: `${process.node}/`,
    link,
    bus,
    /** Before it is connected, it would listen some time later. */
    listen: async (place: Place, listener: (change: PresenceChange) => void) => {
      await eventually(() => expect(link.isListening).toBe(true), { timeoutMs: 5000 });
      await listen(place, listener);
    },
  });
};
type Process = ReturnType<typeof open>;

const PLACE: Place = { namespace: '/', room: 'replaced:1' };
const usersIn = async (store: RedisPresence, place = PLACE) =>
  (await store.read(place, { limit: 1000 })).members.map(({ user }) => user);

const holdAll = (store: RedisPresence, place: Place, users: readonly string[]) => {
  for (const user of users) store.hold(place, { user });
};

const changesOf = async (store: RedisPresence, place = PLACE) => {
  const changes: PresenceChange[] = [];
  await store.listen(place, (change) => changes.push(change));
  return {
    joined: () => changes.flatMap(({ joined = [] }) => joined.map(({ user }) => user)),
    left: () => changes.flatMap(({ left = [] }) => left),
    all: changes,
  };
};

/** As kill -9 and a cut from Redis look to the others. */
const cut = (process: Process) => process.link[Symbol.asyncDispose]();

describe('presence in Redis', () => {
  presenceContract(open);
});

describe('presence on a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());
  presenceContract(() => open({ url: cluster.url }));
});

describe('a process that cannot write everything anew', () => {
  it('keeps the lease that holds its members until another one does', async () => {
    const [place, full]: Place[] = [
      { namespace: '/', room: 'lasting:1' },
      { namespace: '/', room: 'lasting:2' },
    ];
    if (!place || !full) throw new Error('two rooms expected');
    const process = open();
    const { pub } = process.link;
    holdAll(process, place, ['alice', 'bob']);
    await eventually(async () => expect(await usersIn(process, place)).toEqual(['alice', 'bob']));
    const leases = async () =>
      (await pub.zrange(keys.presenceLeases, '0', '-1')).filter((name) => name.startsWith(process.node));
    const [former = ''] = await leases();
    await pub.set(keys.presentMembers(full.namespace, full.room), 'no hash');
    process.hold(full, { user: 'alice' });
    process.bus.doubt();
    await eventually(async () => expect(await leases()).toHaveLength(2));
    const runsOutAt = async () => Number(await pub.zscore(keys.presenceLeases, former));
    const before = await runsOutAt();
    await eventually(async () => expect(await runsOutAt()).toBeGreaterThan(before));
    process.release(place, 'bob');
    await eventually(async () => expect(await usersIn(process, place)).toEqual(['alice']));
    await pub.del(keys.presentMembers(full.namespace, full.room));
    await eventually(async () => expect(await leases()).not.toContain(former));
    expect(await usersIn(process, place)).toEqual(['alice']);
  });
});

describe('a process that holds the same for days', () => {
  it('keeps all of its keys alive, the index of its lease too', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    stack.defer(() => void vi.useRealTimers());
    const place: Place = { namespace: '/', room: 'kept:1' };
    const process = open();
    const { pub } = process.link;
    process.hold(place, { user: 'alice' });
    await eventually(async () => expect(await usersIn(process, place)).toEqual(['alice']));
    const names = (await Promise.all([pub.keys('*kept:1*'), pub.keys(`*:rooms:${process.node}*`)])).flat();
    expect(names).toHaveLength(4);
    for (const name of names) await pub.pexpire(name, 60_000);
    vi.advanceTimersByTime(86_400_000 / 3);
    await eventually(async () => {
      const lives = await Promise.all(names.map((name) => pub.pttl(name)));
      expect(Math.min(...lives)).toBeGreaterThan(80_000_000);
    });
  });
});

describe('a process that goes without a word', () => {
  it('loses its members within 10 s, each told once (G4)', async () => {
    const [dying, ...others] = [open(), open(), open()];
    const rooms = Array.from({ length: 50 }, (_, i) => ({ namespace: '/', room: `dying:${i}` }));
    const [survivor] = others;
    if (survivor === undefined) throw new Error('there are three processes');
    const told = await Promise.all(rooms.map((place) => changesOf(survivor, place)));
    for (const place of rooms) {
      for (let i = 0; i < 10; i += 1) dying.hold(place, { user: `user-${i}` });
      others[0]?.hold(place, { user: 'user-0' });
    }
    const last = rooms.at(-1) ?? PLACE;
    await eventually(async () => expect(await usersIn(survivor, last)).toHaveLength(10));
    await eventually(() => expect(told.flatMap(({ joined }) => joined())).toHaveLength(500));
    const startedAt = performance.now();
    await cut(dying);
    await eventually(() => expect(told.flatMap(({ left }) => left())).toHaveLength(450), {
      timeoutMs: 10_000,
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    for (const { left } of told) expect(left()).toHaveLength(new Set(left()).size);
    expect(await usersIn(survivor, last)).toEqual(['user-0']);
  });

  it('loses them as well when Redis was in doubt while it wrote them', async () => {
    const [dying, other] = [open(), open()];
    const place = { ...PLACE, room: 'doubted:1' };
    const { pub } = dying.link;
    const call = pub.callBuffer.bind(pub);
    const { promise: doubted, resolve: doubt } = Promise.withResolvers<void>();
    doubted.then(() => dying.bus.doubt());
    Object.assign(pub, {
      callBuffer: (...args: Parameters<typeof call>) => {
        // The room is on its way into the index of the lease.
        if (args.at(-1) === placeKey(place)) doubt();
        return call(...args);
      },
    });
    dying.hold(place, { user: 'a' });
    await doubted;
    const leases = async () =>
      (await other.link.pub.zrange(keys.presenceLeases, '0', '-1')).filter((name) =>
        name.startsWith(dying.node),
      );
    // Another lease has taken the place of the first.
    await eventually(async () => {
      expect(await leases()).toEqual([expect.not.stringMatching(/\.1$/)]);
      expect(await other.link.pub.zcard(keys.presenceEnded)).toBe(0);
    });
    expect(await usersIn(other, place)).toEqual(['a']);
    const changes = await changesOf(other, place);
    await cut(dying);
    await eventually(() => expect(changes.left()).toEqual(['a']), { timeoutMs: 10_000 });
  });

  it('is replaced by the next one of the same node and worker at once', async () => {
    const earlier = open({ node: 'same' });
    const other = open();
    holdAll(earlier, PLACE, ['a', 'b']);
    await eventually(async () => expect(await usersIn(other)).toEqual(['a', 'b']));
    const changes = await changesOf(other);
    await cut(earlier);
    const later = open({ node: 'same' });
    later.hold(PLACE, { user: 'c' });
    await eventually(() => expect(changes.left().sort()).toEqual(['a', 'b']), { timeoutMs: 5000 });
    expect(await usersIn(other)).toEqual(['c']);
    later.release(PLACE, 'c');
    await eventually(async () => expect(await usersIn(other)).toEqual([]));
  });
});

describe('two living processes that claim to be the same', () => {
  it('both keep their members', async () => {
    const [one, two] = [open({ node: 'twin' }), open({ node: 'twin' })];
    holdAll(one, { ...PLACE, room: 'twin:1' }, ['a']);
    holdAll(two, { ...PLACE, room: 'twin:1' }, ['b']);
    await eventually(
      async () => expect(await usersIn(one, { ...PLACE, room: 'twin:1' })).toEqual(['a', 'b']),
      {
        timeoutMs: 5000,
      },
    );
  });
});

describe('a Redis that', () => {
  it('has lost a lease is told again of its members, not of info that is older than what it knows', async () => {
    const [one, two] = [open(), open()];
    const place = { ...PLACE, room: 'repeated:1' };
    const changes = await changesOf(two, place);
    const [old, newer] = ['Old', 'New'].map((name) => ({ user: 'a', info: { name } }));
    if (!old || !newer) throw new Error('two expected');
    one.hold(place, old);
    await eventually(() => expect(changes.all).toHaveLength(1));
    two.hold(place, newer);
    await eventually(() => expect(changes.all).toHaveLength(2));
    const leaseOfOne = async () => {
      const leases = await one.link.pub.zrange(keys.presenceLeases, '0', '-1');
      return leases.map(String).find((lease) => lease.startsWith(one.node)) ?? '';
    };
    const lost = await leaseOfOne();
    await one.link.pub.zrem(keys.presenceLeases, lost);
    await eventually(
      async () => {
        const lease = await leaseOfOne();
        expect(lease).not.toBe(lost);
        expect(await one.link.pub.sismember(keys.presentLease(place, lease), 'a')).toBe(1);
      },
      { timeoutMs: 5000 },
    );
    expect((await two.read(place, { limit: 1 })).members).toEqual([newer]);
    expect(changes.all).toHaveLength(2);
  });

  it('was emptied has every member again, and nobody is told twice of the same', async () => {
    const [one, two] = [open(), open()];
    const place = { ...PLACE, room: 'emptied:1' };
    holdAll(one, place, ['a', 'b']);
    holdAll(two, place, ['b', 'c']);
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['a', 'b', 'c']));
    await one.link.pub.flushall();
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['a', 'b', 'c']), {
      timeoutMs: 5000,
    });
  });

  it('was away for longer than a lease tells of nobody who stayed', async () => {
    await using own = new AsyncDisposableStack();
    const redis = own.use(await RedisServer.start({ args: ['--appendonly', 'yes'] }));
    const before = server;
    server = redis;
    const [one, two] = [open(), open()];
    server = before;
    const place = { ...PLACE, room: 'away:1' };
    holdAll(one, place, ['a', 'b']);
    holdAll(two, place, ['c']);
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['a', 'b', 'c']));
    const changes = await changesOf(two, place);
    redis.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(7000), { timeoutMs: 8000 });
    redis.kill('SIGCONT');
    two.hold(place, { user: 'd' });
    await eventually(() => expect(changes.joined()).toContain('d'), { timeoutMs: 8000 });
    one.hold(place, { user: 'e' });
    await eventually(() => expect(changes.joined()).toEqual(['d', 'e']), { timeoutMs: 8000 });
    expect(changes.left()).toEqual([]);
    expect(await usersIn(one, place)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('what is left behind', () => {
  it('is nothing, once everybody has gone (row 22)', async () => {
    const one = open();
    await eventually(async () => expect(await one.link.pub.dbsize()).toBeGreaterThan(0));
    const room = (i: number) => ({ namespace: '/', room: `left:${i}` });
    for (let i = 0; i < 100; i += 1) one.hold(room(i), { user: 'a' });
    await eventually(async () => expect(await usersIn(one, room(99))).toEqual(['a']));
    for (let i = 0; i < 100; i += 1) one.release(room(i), 'a');
    const leftKeys = async () =>
      (await one.link.pub.keys('*left:*')).concat(await one.link.pub.keys('*:rooms:*.1'));
    await eventually(async () => expect(await leftKeys()).toEqual([]));
  });
});

describe('a large room', () => {
  it('is told how many there are, not who', async () => {
    const one = open({ listMax: 3 });
    const place = { ...PLACE, room: 'large:1' };
    const changes = await changesOf(one, place);
    for (const user of ['a', 'b', 'c', 'd', 'e']) one.hold(place, { user });
    await eventually(() => expect(changes.all.at(-1)?.count).toBe(5));
    expect(changes.all.at(-1)).not.toHaveProperty('joined');
  });
});
