import { readFile } from 'node:fs/promises';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, nextEvent, RedisCluster, RedisSentinel, type RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { io, type Socket } from 'socket.io-client';
import { expect, it } from 'vitest';
import { TOLD } from '../clients/stock-client.ts';
import { READY, readinessOf } from './app-process.ts';
import { order, publish } from './http-api.ts';

const USERS = new URL('../../../../deploy/redis/users.conf', import.meta.url);
const PASSWORD = 'password-of-the-test';
/** As many as reach every shard. */
const ROOMS = Array.from({ length: 12 }, (_, n) => `users:${n}`);

const onAll = async <T>(servers: readonly RedisServer[], run: (admin: Redis) => Promise<T>): Promise<T[]> =>
  Promise.all(
    servers.map(async (server) => {
      const admin = new Redis(server.url);
      using _ = { [Symbol.dispose]: () => admin.disconnect() };
      return await run(admin);
    }),
  );

/** The users of the deployment; the servers are their own friends without them. */
const addUsers = async (servers: readonly RedisServer[]): Promise<void> => {
  const lines = (await readFile(USERS, 'utf8')).split('\n');
  const users = lines.filter((line) => line.startsWith('user ') && !line.startsWith('user default'));
  await onAll(servers, async (admin) => {
    for (const line of users) {
      const [, ...rules] = line.replace(/\$\{\w+:\?\}/, PASSWORD).split(' ');
      await admin.call('ACL', 'SETUSER', ...rules);
    }
    await admin.call('ACL', 'LOG', 'RESET');
  });
};

/** What a server has refused to a user: who, and what. */
const refusals = async (servers: readonly RedisServer[]): Promise<unknown[]> =>
  (await onAll(servers, async (admin) => admin.call('ACL', 'LOG'))).flat();

const connect = async (
  owner: AsyncDisposableStack,
  { stack, node, sub }: { stack: Stack; node: number; sub: string },
): Promise<Socket> => {
  const token = await stack.issueToken({ sub });
  const socket = io(stack.nodes[node]?.url ?? '', {
    auth: { token },
    transports: ['websocket'],
    forceNew: true,
  });
  owner.defer(() => void socket.disconnect());
  await nextEvent(socket, 'connect');
  return socket;
};

const startAsUsers = async (owner: AsyncDisposableStack, url: string): Promise<Stack> => {
  const as = (user: string) => url.replace('://', `://${user}:${PASSWORD}@`);
  const stack = owner.use(
    await startStack({ nodes: 2, redisUrlOf: (name) => as(name === 'api' ? 'api' : 'gateway') }),
  );
  await eventually(
    async () => {
      for (const { opsUrl } of [...stack.nodes, stack.api]) expect(await readinessOf(opsUrl)).toEqual(READY);
    },
    { timeoutMs: 20_000 },
  );
  return stack;
};

/** What gateways and the api do in Redis: logs, presence, signals between nodes, users, orders, lists. */
const useEverything = async (owner: AsyncDisposableStack, stack: Stack): Promise<void> => {
  const ann = await connect(owner, { stack, node: 0, sub: 'ann' });
  const bob = await connect(owner, { stack, node: 1, sub: 'bob' });
  const get = async (path: string) => {
    const response = await fetch(stack.url + path, { headers: { authorization: `Bearer ${stack.apiKey}` } });
    expect(response.status).toBe(200);
    return response.json();
  };
  for (const room of ROOMS) {
    for (const socket of [ann, bob])
      expect(await socket.emitWithAck('room:join', { room, presence: true })).toMatchObject({ ok: true });
    const heard = [nextEvent(ann, TOLD), nextEvent(bob, TOLD)];
    expect(await publish(stack, { room, data: room })).toBe(200);
    expect((await Promise.all(heard)).map(([data]) => data)).toEqual([room, room]);
    const signalled = nextEvent(bob, 'test:signalled');
    await ann.emitWithAck('room:signal', { room, event: 'test:signalled', data: room });
    expect((await signalled)[0]).toBe(room);
    await eventually(async () => expect(await get(`/v1/rooms/${room}/presence`)).toMatchObject({ count: 2 }));
  }
  const sent = nextEvent(bob, 'test:sent');
  expect(await ann.emitWithAck('user:send', { user: 'bob', event: 'test:sent', data: 1 })).toMatchObject({
    ok: true,
  });
  expect((await sent)[0]).toBe(1);
  expect(await get('/v1/rooms')).toMatchObject({
    rooms: expect.arrayContaining(ROOMS.map((room) => expect.objectContaining({ room }))),
  });
  await eventually(async () => expect(await get('/v1/cluster')).toMatchObject({ connections: 2 }));
  expect(await get(`/v1/rooms/${ROOMS[0]}/history`)).toMatchObject({ events: [{ data: ROOMS[0] }] });
  const gone = nextEvent(bob, 'disconnect');
  expect(await order(stack, '/v1/revocations', { user: 'bob' })).toBe(200);
  expect((await gone)[0]).toBe('io server disconnect');
};

it('the users of deploy/redis may do on a Redis Cluster with sharded channels what gateways and the api need', async () => {
  await using owner = new AsyncDisposableStack();
  const cluster = owner.use(await RedisCluster.start());
  await addUsers(cluster.servers);
  await useEverything(owner, await startAsUsers(owner, cluster.url));
  expect(await refusals(cluster.servers)).toEqual([]);
});

it('the users of deploy/redis may do behind sentinels what gateways and the api need', async () => {
  await using owner = new AsyncDisposableStack();
  const sentinel = owner.use(await RedisSentinel.start());
  await addUsers(sentinel.servers);
  await useEverything(owner, await startAsUsers(owner, sentinel.url));
  expect(await refusals(sentinel.servers)).toEqual([]);
});
