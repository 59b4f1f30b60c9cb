import { connectRedis, type Order, Orders, redisUrl } from '@fanfare/cluster';
import { eventually, FaultProxy, HALF_OPEN, nextEvent, RedisServer } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ask,
  type ClientOptions,
  signToken,
  startNode,
  type TestNode,
  untilReady,
} from '../../test/start-node.ts';

let stack: AsyncDisposableStack;
let proxy: FaultProxy;
let a: TestNode;
/** Reaches Redis through the proxy. */
let b: TestNode;
let orders: Orders;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  proxy = stack.use(await FaultProxy.start({ to: { port: redis.port } }));
  const namespaces = { FANFARE_NAMESPACES: '/,/chat' };
  a = stack.use(await startNode({ REDIS_URL: redis.url, ...namespaces }));
  b = stack.use(await startNode({ REDIS_URL: `redis://127.0.0.1:${proxy.port}`, ...namespaces }));
  const link = stack.use(
    connectRedis({ target: redisUrl.parse(redis.url), name: 'test', onChange: () => undefined }),
  );
  await eventually(() => expect(link.up).toBe(true));
  await Promise.all([a, b].map(untilReady));
  orders = new Orders(link);
});
afterAll(() => stack.disposeAsync());

let users = 0;
const newUser = (): string => {
  users += 1;
  return `user ${users} ü`;
};
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

type Claims = Parameters<typeof signToken>[0];

const connect = async (node: TestNode, token: string, options?: ClientOptions): Promise<Socket> => {
  const socket = node.client(token, { reconnection: false, ...options });
  await nextEvent(socket, 'connect');
  return socket;
};

/** Members of a room on both nodes with one token, and what they hear. */
const membersOf = async (room: string, claims: Claims) => {
  const token = await signToken(claims);
  const sockets = await Promise.all([a, b].map((node) => connect(node, token)));
  const heard: unknown[] = [];
  for (const socket of sockets) {
    expect(await ask(socket, 'room:join', { room })).toMatchObject({ ok: true });
    socket.on('told', (data) => heard.push(data));
  }
  return { token, sockets, heard };
};

const publish = async (room: string, data: unknown): Promise<void> => {
  const backend = await a.connect(newUser());
  await ask(backend, 'room:join', { room });
  const told = nextEvent(backend, 'told');
  await ask(backend, 'room:publish', { room, event: 'told', data });
  await told;
  backend.disconnect();
};

const refusalOf = async (node: TestNode, token: string): Promise<unknown> => {
  const [error] = await nextEvent(node.client(token, { reconnection: false }), 'connect_error');
  return (error as { data?: { code?: string } }).data?.code;
};

const REVOCATIONS: readonly [string, (user: string) => Order][] = [
  ['a user', (user) => ({ kind: 'revoke-user', user })],
  ['a token', (user) => ({ kind: 'revoke-token', jti: `jti of ${user}` })],
  ['a session', (user) => ({ kind: 'revoke-session', session: `sid of ${user}` })],
];

describe('a revocation', () => {
  it.each(REVOCATIONS)(
    'of %s ends its sockets on every node, and the old token opens nothing (G6)',
    async (_, orderFor) => {
      const user = newUser();
      const claims = { sub: user, jti: `jti of ${user}`, sid: `sid of ${user}` };
      const { token, sockets, heard } = await membersOf('project:1', claims);
      const other = await connect(a, await signToken({ sub: newUser() }));
      const ends = sockets.map((socket) =>
        Promise.all([nextEvent(socket, 'session:closing'), nextEvent(socket, 'disconnect')]),
      );
      const refreshing = await connect(a, await signToken({ sub: user, iat: inSeconds(10) }));
      await orders.give(orderFor(user));
      for (const [[closing], [reason]] of await Promise.all(ends)) {
        expect(closing).toEqual({ reason: 'token_revoked', reconnect: false, inMs: 0 });
        expect(reason).toBe('io server disconnect');
      }
      await publish('project:1', 'too late');
      expect(heard).toEqual([]);
      for (const node of [a, b]) expect(await refusalOf(node, token)).toBe('token_revoked');
      expect(await ask(refreshing, 'token:refresh', { token })).toMatchObject({
        ok: false,
        error: { code: 'token_revoked' },
      });
      expect([other.connected, refreshing.connected]).toEqual([true, true]);
    },
  );

  it('of a user lets in tokens that were issued later', async () => {
    const user = newUser();
    const given = await orders.give({ kind: 'revoke-user', user });
    const second = Math.floor(given.number / 1_000_000);
    await eventually(async () =>
      expect(await refusalOf(b, await signToken({ sub: user, iat: second }))).toBe('token_revoked'),
    );
    expect((await connect(b, await signToken({ sub: user, iat: second + 1 }))).connected).toBe(true);
  });

  it('in one namespace changes nothing in another', async () => {
    const user = newUser();
    const token = await signToken({ sub: user, namespaces: ['/', '/chat'] });
    const [here, there] = [await connect(a, token), await connect(a, token, { namespace: '/chat' })];
    const gone = nextEvent(there, 'disconnect');
    await orders.give({ kind: 'revoke-user', user, namespace: '/chat' });
    await gone;
    expect((await ask(here, 'room:join', { room: 'project:1' })).ok).toBe(true);
  });

  it('holds on a node that starts later', async () => {
    const user = newUser();
    const token = await signToken({ sub: user });
    await orders.give({ kind: 'revoke-user', user });
    await using late = await startNode({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    expect(await refusalOf(late, token)).toBe('token_revoked');
  });
});

describe('a user who is disconnected and may come back', () => {
  it.each([
    ['one namespace', '/chat'],
    ['all namespaces', undefined],
  ])(
    'in %s loses the transport, so that a stock client comes back, and all are told',
    async (_, namespace) => {
      const user = newUser();
      const token = await signToken({ sub: user, namespaces: ['/', '/chat'] });
      const here = await connect(a, token);
      const there = here.io.socket('/chat', { auth: { token } });
      await nextEvent(there, 'connect');
      const ends = [there, here].map((socket) => {
        const end: { told?: unknown; reason?: unknown } = {};
        socket.on('session:closing', (told) => Object.assign(end, { told }));
        socket.on('disconnect', (reason) => Object.assign(end, { reason }));
        return end;
      });
      await orders.give({ kind: 'disconnect', user, reconnect: true, ...(namespace && { namespace }) });
      const told = { reason: 'disconnected', reconnect: true, inMs: 0 };
      await eventually(() => expect(ends).toEqual(Array(2).fill({ reason: 'transport close', told })));
    },
  );
});

describe('a user who is removed from a room', () => {
  it('leaves it on every node, and cannot come back with the old token (G6)', async () => {
    const [user, room] = [newUser(), 'project:removal'];
    const { token, sockets, heard } = await membersOf(room, { sub: user });
    for (const socket of sockets) await ask(socket, 'room:join', { room: 'project:other' });
    const left = sockets.map((socket) => nextEvent(socket, 'room:left'));
    await orders.give({ kind: 'remove', user, room, namespace: '/' });
    for (const notice of await Promise.all(left)) expect(notice).toEqual([{ room, reason: 'removed' }]);
    await publish(room, 'too late');
    const again = await connect(b, token);
    for (const socket of [...sockets, again]) {
      for (const [event, payload] of [
        ['room:join', { room }],
        ['room:publish', { room, event: 'told', data: 1 }],
        ['room:signal', { room, event: 'told', data: 1 }],
      ] as const) {
        expect(await ask(socket, event, payload)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
      }
      await ask(socket, 'token:refresh', { token });
      expect(await ask(socket, 'room:join', { room })).toMatchObject({ ok: false });
      expect(await ask(socket, 'room:join', { room: 'project:other' })).toMatchObject({ ok: true });
    }
    expect(heard).toEqual([]);
    await ask(again, 'token:refresh', { token: await signToken({ sub: user, iat: inSeconds(10) }) });
    expect(await ask(again, 'room:join', { room })).toMatchObject({ ok: true });
  });
});

describe('a user who is added to a room', () => {
  it('hears what comes after the position that each socket is told, and may recover it', async () => {
    const [user, room] = [newUser(), 'project:addition'];
    await publish(room, 'before');
    const token = await signToken({ sub: user, rooms: {} });
    const sockets = await Promise.all([a, b].map((node) => connect(node, token)));
    const joined = sockets.map((socket) => nextEvent(socket, 'room:joined'));
    await orders.give({ kind: 'add', user, room, namespace: '/' });
    for (const [notice] of await Promise.all(joined)) {
      expect(notice).toEqual({ room, epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1 });
    }
    const heard = sockets.map((socket) => nextEvent(socket, 'told'));
    await publish(room, 'after');
    for (const [data, meta] of await Promise.all(heard)) {
      expect([data, meta]).toEqual(['after', expect.objectContaining({ offset: 2 })]);
    }
    expect(await ask(sockets[1] as Socket, 'room:join', { room, replay: 1 })).toMatchObject({ ok: true });
  });

  it('is no longer kept out by a removal, with the old token', async () => {
    const [user, room] = [newUser(), 'project:pardon'];
    const { sockets } = await membersOf(room, { sub: user });
    const left = sockets.map((socket) => nextEvent(socket, 'room:left'));
    await orders.give({ kind: 'remove', user, room, namespace: '/' });
    await Promise.all(left);
    const joined = sockets.map((socket) => nextEvent(socket, 'room:joined'));
    await orders.give({ kind: 'add', user, room, namespace: '/' });
    await Promise.all(joined);
    for (const socket of sockets) {
      await ask(socket, 'room:leave', { room });
      expect(await ask(socket, 'room:join', { room })).toMatchObject({ ok: true });
    }
  });
});

it.each([true, false])(
  'disconnecting a user tells every socket whether to come back: %s',
  async (reconnect) => {
    const user = newUser();
    const { sockets, token } = await membersOf('project:1', { sub: user });
    const ends = sockets.map((socket) =>
      Promise.all([nextEvent(socket, 'session:closing'), nextEvent(socket, 'disconnect')]),
    );
    await orders.give({ kind: 'disconnect', user, reconnect });
    for (const [[closing], [reason]] of await Promise.all(ends)) {
      expect(closing).toEqual({ reason: 'disconnected', reconnect, inMs: 0 });
      expect(reason).toBe(reconnect ? 'transport close' : 'io server disconnect');
    }
    expect((await connect(b, token)).connected).toBe(true);
  },
);

const CUTS: readonly [string, () => void][] = [
  [
    'its connections were cut',
    () => {
      proxy.set({ refuse: true });
      proxy.cut();
    },
  ],
  ['its connections were silent', () => proxy.set(HALF_OPEN)],
];

describe('a node that was cut off', () => {
  it.each(CUTS)(
    'tells a revoked user and a removed one nothing that was logged meanwhile, when %s (G6)',
    async (_, cutOff) => {
      const room = `project:${newUser().replaceAll(/\W/g, '')}`;
      const [revoked, removed, free] = [newUser(), newUser(), newUser()];
      const members = await Promise.all([revoked, removed, free].map((sub) => membersOf(room, { sub })));
      const onB = members.map(({ sockets }) => sockets[1] as Socket);
      const heard = onB.map((socket) => {
        const own: unknown[] = [];
        socket.on('told', (data) => own.push(data));
        return own;
      });
      cutOff();
      await eventually(async () => expect((await fetch(`${b.opsUrl}/readyz`)).status).toBe(503), {
        timeoutMs: 10_000,
      });
      await orders.give({ kind: 'revoke-user', user: revoked });
      await orders.give({ kind: 'remove', user: removed, room, namespace: '/' });
      for (let n = 1; n <= 20; n += 1) await publish(room, n);
      proxy.heal();
      await eventually(() => expect(heard[2]).toHaveLength(20), { timeoutMs: 10_000 });
      expect(heard.slice(0, 2)).toEqual([[], []]);
      await untilReady(b);
      expect(await refusalOf(b, members[0]?.token ?? '')).toBe('token_revoked');
      expect(await ask(onB[1] as Socket, 'room:join', { room })).toMatchObject({ ok: false });
    },
  );
});
