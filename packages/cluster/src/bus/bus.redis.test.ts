import { setImmediate as turn } from 'node:timers/promises';
import { eventually, nextEvent, RedisCluster, RedisServer } from '@fanfare/testing';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idleReport } from '../../test/fixtures.ts';
import { startServer } from '../../test/start-server.ts';
import { keys } from '../keys.ts';
import { probeBus } from '../nodes/probe.ts';
import { holdLease, listNodes } from '../nodes/registry.ts';
import { connectRedis, type RedisLink } from '../redis/link.ts';
import { redisUrl } from '../redis/url.ts';
import { Bus } from './bus.ts';

const NOBODY = () => undefined;

const openBus = async (url: string) => {
  await using stack = new AsyncDisposableStack();
  const link = stack.use(connectRedis({ target: redisUrl.parse(url), name: 'bus', onChange: NOBODY }));
  const bus = stack.use(
    new Bus(link, {
      invalidMessage: NOBODY,
      publishDropped: NOBODY,
      missed: NOBODY,
      roomReset: NOBODY,
      partialAnswer: NOBODY,
    }),
  );
  await eventually(() => expect(bus.isListening).toBe(true), { timeoutMs: 5000 });
  await bus.settled();
  const owned = stack.move();
  return { link, bus, [Symbol.asyncDispose]: () => owned.disposeAsync() };
};

const startBus = async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await RedisServer.start());
  const { bus } = stack.use(await openBus(server.url));
  const redis = stack.adopt(new Redis(server.url), (client) => client.disconnect());
  const count = async () =>
    Number(/cmdstat_subscribe:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  const ofItsOwn = await count();
  const owned = stack.move();
  return {
    bus,
    commands: async () => (await count()) - ofItsOwn,
    standing: async (channels: readonly string[]) => {
      const replies = await redis.pubsub('NUMSUB', ...channels);
      return replies.filter((reply) => reply === 1).length;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

it('subscriptions that nobody waits for stand soon, and many of them in few commands', async () => {
  await using cluster = await startBus();
  const channels = Array.from({ length: 500 }, (_, i) => `room-${i}`);
  for (const channel of channels) {
    cluster.bus.listenSoon(channel, NOBODY);
    await turn();
  }
  await eventually(async () => expect(await cluster.standing(channels)).toBe(500));
  expect(await cluster.commands()).toBeLessThan(100);
});

it('a subscription that somebody waits for takes along those that nobody waits for', async () => {
  await using cluster = await startBus();
  await cluster.bus.listen('first', NOBODY);
  cluster.bus.listenSoon('second', NOBODY);
  await cluster.bus.listen('third', NOBODY);
  expect(await cluster.standing(['first', 'second', 'third'])).toBe(3);
  expect(await cluster.commands()).toBe(2);
});

it.each([
  [true, 1],
  [false, 0],
])(
  'with rooms of sockets %s, %i node listens to what emitters tell a socket by its id',
  async (socketRooms, listeners) => {
    await using server = await RedisServer.start();
    await using node = await startServer(server.url, { socketRooms });
    const { client } = await node.connect(['lobby']);
    const channel = `socket.io#/#${client.id}#`;
    expect(await node.link.pub.call('PUBSUB', 'NUMSUB', channel)).toEqual([channel, listeners]);
    const heard = nextEvent(client, 'hello');
    node.io.to(client.id ?? '').emit('hello');
    await heard;
  },
);

describe('the bus on a Redis Cluster', () => {
  let own: AsyncDisposableStack;
  let cluster: RedisCluster;

  beforeAll(async () => {
    own = new AsyncDisposableStack();
    cluster = own.use(await RedisCluster.start({ args: ['--cluster-require-full-coverage', 'no'] }));
  });
  afterAll(() => own.disposeAsync());

  const onServer = async <T>(port: number, ask: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(port);
    return ask(redis).finally(() => redis.disconnect());
  };

  /** What the servers say of their subscribers to rooms, and what ioredis 6.0.0 has in its private list. */
  const subscribedTo = async (process: { link: RedisLink }) => {
    const asked = cluster.servers.flatMap(({ port }) =>
      ['CHANNELS', 'SHARDCHANNELS'].map((what) =>
        onServer(port, (redis) => redis.call('PUBSUB', what, keys.roomChannel('/', '*'))),
      ),
    );
    const listed = Reflect.get(Reflect.get(process.link.pub, 'shardedSubscribers'), 'channels');
    const isRoom = (channel: string) => channel.startsWith(keys.roomChannel('/', '').slice(0, -1));
    return {
      channels: (await Promise.all(asked)).flat().length,
      listed: [...listed.values()].flat().filter(isRoom).length,
    };
  };

  it('has no more subscriptions than rooms however often some broke, and none of a room left meanwhile', async () => {
    await using process = await openBus(cluster.url);
    const { bus, link } = process;
    const channels = Array.from({ length: 60 }, (_, i) => keys.roomChannel('/', `project:${i}`));
    await Promise.all(channels.map((channel) => bus.listen(channel, NOBODY)));
    const left = channels.splice(0, 20);
    let restored = 0;
    bus.onChange({
      interrupted: () => {
        for (const channel of left.splice(0)) bus.unlisten(channel);
      },
      restored: () => {
        restored += 1;
      },
    });
    for (const channel of left.slice(0, 2)) {
      const { port } = await cluster.ownerOf(channel);
      const before = restored;
      await onServer(port, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      await eventually(() => expect(restored).toBeGreaterThan(before), { timeoutMs: 5000 });
    }
    const count = channels.length;
    await eventually(
      async () => expect(await subscribedTo(process)).toEqual({ channels: 2 * count, listed: count }),
      { timeoutMs: 5000 },
    );
    expect(left).toEqual([]);
    expect(link.up).toBe(true);
  });

  it('answers a cluster query with what came in time, and who is missing, when a server hangs', async () => {
    await using a = await startServer(cluster.url, { node: 'a' });
    await using b = await startServer(cluster.url, { node: 'b' });
    await b.connect(['query']);
    const report = { ...idleReport, node: 'silent' };
    await using _ = holdLease({
      redis: a.link.pub,
      report: () => report,
      onSuperseded: NOBODY,
      onEmptied: NOBODY,
    });
    await eventually(async () => expect(await listNodes(a.link.pub)).toEqual([report]));
    await eventually(async () => expect(await a.io.of('/').adapter.serverCount()).toBe(2));
    const { pub } = a.link;
    const replica = await eventually(
      () => {
        const [node] = pub instanceof Cluster ? pub.nodes('slave') : [];
        const found = cluster.servers.find(({ port }) => port === node?.options.port);
        if (found === undefined) throw new Error('no replica is known yet');
        return found;
      },
      { timeoutMs: 10_000 },
    );
    replica.kill('SIGSTOP');
    try {
      const startedAt = performance.now();
      expect(await a.io.in('query').fetchSockets()).toHaveLength(1);
      expect(performance.now() - startedAt).toBeLessThan(950);
      await eventually(() => expect(a.seen.missing).toEqual(['silent']));
    } finally {
      replica.kill('SIGCONT');
    }
  });

  it('notices each connection that goes deaf without closing, and hears on it again', async () => {
    await using one = await openBus(cluster.url);
    await using other = await openBus(cluster.url);
    await using probe = probeBus({ link: one.link, bus: one.bus, incarnation: 'x' });
    const channels = Array.from({ length: 20 }, (_, i) => keys.roomChannel('/', `project:${i}`));
    const heard = new Set<string>();
    await Promise.all(
      channels.map((channel) =>
        one.bus.listen(channel, (message) => {
          heard.add(`${message} ${channel}`);
        }),
      ),
    );
    await eventually(() => expect(probe.healthy).toBe(true));
    const assertHears = async () => {
      for (const channel of channels) {
        void other.link.pub.publish(channel, 'foreign').catch(NOBODY);
        void other.link.publish(channel, 'own').catch(NOBODY);
      }
      await eventually(() => expect(heard.size).toBe(2 * channels.length), { timeoutMs: 200 });
    };
    await assertHears();
    const group = Reflect.get(one.link.pub, 'shardedSubscribers').shardedSubscribers;
    const [first, second] = group.values();
    for (const subscriber of [first, second, Reflect.get(one.link.pub, 'subscriber')]) {
      subscriber.getInstance().stream.pause();
    }
    await eventually(() => expect(probe.healthy).toBe(false), { timeoutMs: 6000 });
    heard.clear();
    await eventually(assertHears, { timeoutMs: 6000 });
    await eventually(() => expect(probe.healthy).toBe(true));
  });

  it('goes on without a room whose slot nobody has, and hears the others', async () => {
    const [lost, other] = [keys.roomChannel('/', 'room:1'), keys.roomChannel('/', 'room:2')];
    const slot = await onServer(cluster.servers[0]?.port ?? 0, (redis) => redis.cluster('KEYSLOT', lost));
    for (const { port } of cluster.servers) {
      // A replica may have learnt of it before it is asked.
      await onServer(port, (redis) => redis.call('CLUSTER', 'DELSLOTS', String(slot)).catch(NOBODY));
    }
    await using process = await openBus(cluster.url);
    const heard = Promise.withResolvers<void>();
    process.bus.listenSoon(lost, NOBODY);
    await process.bus.listen(other, () => heard.resolve());
    process.bus.unlisten(lost);
    await process.bus.settled();
    expect(await process.link.publish(other, 'told')).toBe(1);
    await heard.promise;
  });

  it('leaves the rooms of the other shards alone while one is away', async () => {
    await using process = await openBus(cluster.url);
    const { bus, link } = process;
    const channels = Array.from({ length: 200 }, (_, i) => keys.roomChannel('/', `project:${i}`));
    await Promise.all(channels.map((channel) => bus.listen(channel, NOBODY)));
    const victim = await cluster.ownerOf(channels[0] ?? '');
    const others = cluster.servers.filter(({ port }) => port !== victim.port);
    const isOther = await Promise.all(
      channels.map(async (channel) => (await cluster.ownerOf(channel)).port !== victim.port),
    );
    const commands = async () => {
      const counts = others.map(async ({ port }) => {
        const stats = await onServer(port, (redis) => redis.info('commandstats'));
        return Number(/cmdstat_ssubscribe:calls=(\d+)/.exec(stats)?.[1] ?? 0);
      });
      return (await Promise.all(counts)).reduce((sum, one) => sum + one, 0);
    };
    const before = await commands();
    const told = { interrupted: 0, restored: 0 };
    let standing: boolean[] = [];
    bus.onChange({
      interrupted: (stands) => {
        told.interrupted += 1;
        standing = channels.map(stands);
      },
      restored: () => {
        told.restored += 1;
      },
    });
    let troubles = 0;
    const isTroubled = Promise.withResolvers<void>();
    link.pub.on('-node', () => {
      troubles += 1;
      if (troubles === 6) isTroubled.resolve();
    });
    const killedAt = performance.now();
    victim.kill('SIGKILL');
    await isTroubled.promise;
    // ioredis tries a dead master again at once: a hundred times a second.
    expect(performance.now() - killedAt).toBeGreaterThan(400);
    expect(told.interrupted).toBe(1);
    expect(standing).toEqual(isOther);
    expect(told.restored).toBeLessThan(3);
    expect(await commands()).toBeLessThan(before + 20);
  });
});
