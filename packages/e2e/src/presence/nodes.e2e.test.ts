import type { PresenceState } from '@fanfare/protocol';
import { eventually, RedisServer } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertAllLeave, countIn, join, type Node, openPeople } from './people.ts';

let stack: AsyncDisposableStack;
let redis: RedisServer;
let people: ReturnType<typeof openPeople>;
let survivor: Node;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
  people = openPeople(stack, redis.url);
  survivor = await people.startNode('survivor');
});
afterAll(() => stack.disposeAsync());

describe('the members of a node', () => {
  test('that is killed have all left within 10 s, each told once (G4)', async () => {
    const crowd = { name: 'killed', roomCount: 50, users: 10 };
    await assertAllLeave(await people.fill(survivor, crowd));
  });

  test('that freezes leave once and come back once, and after a short stop nothing is told (G4)', async () => {
    const { node, watcher, seen, members, rooms } = await people.fill(survivor, {
      name: 'frozen',
      roomCount: 5,
      users: 10,
    });
    node.app.process.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(2500));
    node.app.process.kill('SIGCONT');
    const last = await people.connect(node, 'last');
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
    const { node, watcher, seen, rooms } = await people.fill(survivor, {
      name: 'emptied',
      roomCount: 5,
      users: 10,
    });
    await redis.stop();
    await redis.restart();
    const room = rooms[0] ?? '';
    await eventually(async () => expect(await countIn(watcher, room)).toBe(11), { timeoutMs: 15_000 });
    const late = await people.connect(node, 'late');
    await join(late, [room], false);
    await eventually(() => expect(seen.joined).toEqual([`${room} late`]), { timeoutMs: 10_000 });
    expect(seen).toMatchObject({ left: [], states: 0 });
  });
});

test('a thousand who join one room within 5 s all know how many they are, after a few messages', async () => {
  const other = await people.startNode('crowd');
  const sockets: Socket[] = [];
  for (let i = 0; i < 1000; i += 50) {
    const some = Array.from({ length: 50 }, (_, j) =>
      people.connect(j % 2 === 0 ? survivor : other, `crowd-${i + j}`),
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
