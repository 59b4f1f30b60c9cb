import { createCredentials } from '@fanfare/local';
import type { PresenceChanged, PresenceState } from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';
import { expect } from 'vitest';
import { type AppProcess, runApp } from '../cluster/app-process.ts';

/** A gateway in a process of its own. */
export interface Node {
  app: AppProcess;
  url: string;
}

/** Gateways over one Redis, and the people on them; all end with `stack`. */
export const openPeople = (stack: AsyncDisposableStack, redisUrl: string) => {
  const { tokenSecret, issueToken } = createCredentials(['/']);
  const startNode = async (name: string): Promise<Node> => {
    const app = stack.use(
      await runApp('gateway', {
        FANFARE_NODE_ID: name,
        FANFARE_TOKEN_SECRET: tokenSecret,
        REDIS_URL: redisUrl,
        LOG_LEVEL: 'info',
      }),
    );
    return { app, url: (await app.listening()).url };
  };

  const connect = async (node: Node, user: string): Promise<Socket> => {
    const token = await issueToken({ sub: user, rooms: { '**': ['join', 'presence'] } });
    const socket = stack.adopt(
      io(node.url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false }),
      (own) => void own.disconnect(),
    );
    await nextEvent(socket, 'connect', { timeoutMs: 20_000 });
    return socket;
  };

  /** Members on a node of their own, and a socket on another one that watches them come. */
  const fill = async (watching: Node, { name, roomCount, users }: Crowd) => {
    const node = await startNode(name);
    const rooms = Array.from({ length: roomCount }, (_, i) => `${name}:${i}`);
    const watcher = await connect(watching, `${name}-watcher`);
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
  return { startNode, connect, fill };
};

type FilledNode = Awaited<ReturnType<ReturnType<typeof openPeople>['fill']>>;

interface Crowd {
  /** Of the node and of the rooms. */
  name: string;
  roomCount: number;
  /** In each room. */
  users: number;
}

/** A crowd whose node was killed is gone within 10 s, each told of once, and the one who watches is still there. */
export const assertAllLeave = async ({ node, watcher, seen, members, rooms }: FilledNode): Promise<void> => {
  node.app.process.kill('SIGKILL');
  const killedAt = performance.now();
  await eventually(() => expect(seen.left.length).toBeGreaterThanOrEqual(members.length), {
    timeoutMs: 12_000,
  });
  expect(performance.now() - killedAt).toBeLessThan(10_000);
  expect(seen.left.sort()).toEqual(members);
  expect(seen.joined).toEqual([]);
  expect(await countIn(watcher, rooms[0] ?? '')).toBe(1);
};

/** Joins rooms, or throws when one is refused; `presence` asks to be told who is there. */
export const join = async (socket: Socket, rooms: readonly string[], presence: boolean): Promise<void> => {
  const answer: unknown = await socket
    .timeout(20_000)
    .emitWithAck('room:join', { rooms: rooms.map((room) => ({ room, presence })) });
  const joined = rooms.map((room) => ({ room, epoch: expect.any(String) }));
  expect(answer).toMatchObject({ ok: true, data: { rooms: joined } });
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

export const countIn = async (socket: Socket, room: string): Promise<number> => {
  const { data } = await socket.timeout(5000).emitWithAck('presence:list', { room });
  return data.count;
};
