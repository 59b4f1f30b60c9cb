import { createHmac } from 'node:crypto';
import type { PresenceChanged, PresenceState } from '@fanfare/protocol';
import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppProcess, runApp } from './cluster/app-process.ts';

const SECRET = 'a-secret-of-the-tests-of-presence-long-enough';

const sign = (claims: object): string => {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
};

interface Node {
  app: AppProcess;
  url: string;
}

let stack: AsyncDisposableStack;
let redis: RedisServer;
let survivor: Node;

const startNode = async (name: string): Promise<Node> => {
  const app = stack.use(
    await runApp('gateway', {
      FANFARE_NODE_ID: name,
      FANFARE_TOKEN_SECRET: SECRET,
      REDIS_URL: redis.url,
      LOG_LEVEL: 'info',
    }),
  );
  return { app, url: (await app.listening()).url };
};

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
  survivor = await startNode('survivor');
});
afterAll(() => stack.disposeAsync());

const connect = async (node: Node, user: string): Promise<Socket> => {
  const token = sign({ sub: user, exp: 4_102_444_800, rooms: { '**': ['join', 'presence'] } });
  const socket = stack.adopt(
    io(node.url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false }),
    (own) => void own.disconnect(),
  );
  await nextEvent(socket, 'connect', { timeoutMs: 20_000 });
  return socket;
};

const join = async (socket: Socket, rooms: readonly string[], presence: boolean): Promise<void> => {
  const answer: unknown = await socket
    .timeout(20_000)
    .emitWithAck('room:join', { rooms: rooms.map((room) => ({ room, presence })) });
  expect(answer).toMatchObject({ ok: true });
};

/** Everything that a socket is told of presence: `room user` for each that came or went. */
const tellings = (socket: Socket) => {
  const seen = { joined: [] as string[], left: [] as string[], states: 0 };
  socket.on('presence:changed', ({ room, joined, left }: PresenceChanged) => {
    seen.joined.push(...joined.map(({ user }) => `${room} ${user}`));
    seen.left.push(...left.map((user) => `${room} ${user}`));
  });
  socket.on('presence:state', (_: PresenceState) => {
    seen.states += 1;
  });
  return seen;
};

const countIn = async (socket: Socket, room: string): Promise<number> => {
  const { data } = await socket.timeout(5000).emitWithAck('presence:list', { room });
  return data.count;
};

/** Members on a node of their own, and a socket on another one that watches them come. */
const fill = async (name: string, { rooms: roomCount, users }: { rooms: number; users: number }) => {
  const node = await startNode(name);
  const rooms = Array.from({ length: roomCount }, (_, i) => `${name}:${i}`);
  const watcher = await connect(survivor, `${name}-watcher`);
  await join(watcher, rooms, true);
  const seen = tellings(watcher);
  const members = rooms
    .flatMap((room) => Array.from({ length: users }, (_, i) => `${room} user-${i}`))
    .sort();
  const sockets = await Promise.all(Array.from({ length: users }, (_, i) => connect(node, `user-${i}`)));
  for (const socket of sockets) await join(socket, rooms, false);
  const expected = expect.arrayContaining(members);
  await eventually(() => expect(seen.joined).toEqual(expected), { timeoutMs: 15_000 });
  seen.joined = [];
  return { node, watcher, seen, members, rooms };
};

describe('the members of a node', () => {
  test('that is killed have all left within 10 s, each told once (G4)', async () => {
    const { node, watcher, seen, members, rooms } = await fill('killed', { rooms: 50, users: 10 });
    node.app.process.kill('SIGKILL');
    const killedAt = performance.now();
    await eventually(() => expect(seen.left.length).toBeGreaterThanOrEqual(500), { timeoutMs: 12_000 });
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    expect(seen.left.sort()).toEqual(members);
    expect(seen.joined).toEqual([]);
    expect(await countIn(watcher, rooms[0] ?? '')).toBe(1);
  });

  test('that freezes leave once and come back once, and after a short stop nothing is told (G4)', async () => {
    const { node, watcher, seen, members, rooms } = await fill('frozen', { rooms: 5, users: 10 });
    node.app.process.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(2500));
    node.app.process.kill('SIGCONT');
    const last = await connect(node, 'last');
    await join(last, rooms.slice(0, 1), false);
    await eventually(() => expect(seen.joined).toEqual([`${rooms[0]} last`]));
    expect(seen.left).toEqual([]);
    seen.joined = [];
    node.app.process.kill('SIGSTOP');
    const everybody = [...members, `${rooms[0]} last`].sort();
    await eventually(() => expect([...seen.left].sort()).toEqual(everybody), { timeoutMs: 12_000 });
    node.app.process.kill('SIGCONT');
    await eventually(() => expect([...seen.joined].sort()).toEqual(everybody), { timeoutMs: 10_000 });
    expect(seen.left).toHaveLength(everybody.length);
    expect(await countIn(watcher, rooms[0] ?? '')).toBe(12);
  });

  test('stay when Redis comes back empty, and nobody is told that they went (G4)', async () => {
    const { node, watcher, seen, rooms } = await fill('emptied', { rooms: 5, users: 10 });
    await redis.stop();
    await redis.restart();
    const room = rooms[0] ?? '';
    await eventually(async () => expect(await countIn(watcher, room)).toBe(11), { timeoutMs: 15_000 });
    const late = await connect(node, 'late');
    await join(late, [room], false);
    await eventually(() => expect(seen.joined).toEqual([`${room} late`]), { timeoutMs: 10_000 });
    expect(seen).toMatchObject({ left: [], states: 0 });
  });
});

test('a thousand who join one room within 5 s all know how many they are, after a few messages', async () => {
  const other = await startNode('crowd');
  const sockets: Socket[] = [];
  for (let i = 0; i < 1000; i += 50) {
    const some = Array.from({ length: 50 }, (_, j) =>
      connect(j % 2 === 0 ? survivor : other, `crowd-${i + j}`),
    );
    sockets.push(...(await Promise.all(some)));
  }
  const known = sockets.map(() => ({ count: 0, messages: 0 }));
  for (const [i, socket] of sockets.entries()) {
    const own = known[i] ?? { count: 0, messages: 0 };
    for (const event of ['presence:changed', 'presence:state']) {
      socket.on(event, ({ count }: PresenceState) => {
        own.count = count;
        own.messages += 1;
      });
    }
  }
  const startedAt = performance.now();
  await Promise.all(sockets.map((socket) => join(socket, ['crowd:1'], true)));
  expect(performance.now() - startedAt).toBeLessThan(5000);
  await eventually(() => expect(new Set(known.map(({ count }) => count))).toEqual(new Set([1000])), {
    timeoutMs: 10_000,
  });
  expect(Math.max(...known.map(({ messages }) => messages))).toBeLessThanOrEqual(20);
  for (const socket of sockets) socket.disconnect();
});
