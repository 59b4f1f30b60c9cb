import { setImmediate as turn } from 'node:timers/promises';
import { eventually, nextEvent, RedisCluster, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../test/start-server.ts';
import { keys } from '../keys.ts';
import { connectRedis } from '../redis/link.ts';
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
});
