import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connectRedis, redisUrl } from '@fanfare/cluster';
import type { PresenceChanged, PresenceState } from '@fanfare/protocol';
import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

let stack: AsyncDisposableStack;
let redis: RedisServer;
let one: TestNode;
let two: TestNode;

const GRACE_MS = 300;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
  const env = {
    REDIS_URL: redis.url,
    FANFARE_PRESENCE_GRACE_MS: String(GRACE_MS),
    FANFARE_PRESENCE_LIST_MAX: '5',
  };
  [one, two] = [stack.use(await startNode(env)), stack.use(await startNode(env))];
});
afterAll(() => stack.disposeAsync());

let rooms = 0;
const newRoom = () => {
  rooms += 1;
  return `project:${rooms}`;
};

/** Everything that a socket is told of presence, and who is there by that. */
const watch = async (socket: Socket, room: string) => {
  const told: (PresenceChanged | PresenceState)[] = [];
  socket.on('presence:changed', (change: PresenceChanged) => told.push(change));
  socket.on('presence:state', (state: PresenceState) => told.push(state));
  const answer = await ask(socket, 'room:join', { room, presence: true });
  if (!answer.ok) throw new Error(answer.error.message);
  const here = () => {
    const users = new Set(usersOf(answer.data.members));
    for (const change of told) {
      if ('joined' in change) {
        for (const { user } of change.joined) users.add(user);
        for (const user of change.left) users.delete(user);
      } else if (change.members !== undefined) {
        users.clear();
        for (const { user } of change.members) users.add(user);
      }
    }
    return [...users].sort();
  };
  return {
    told,
    here,
    answer: answer.data,
    left: () => told.flatMap((one) => ('left' in one ? one.left : [])),
  };
};

const usersOf = (members: unknown): string[] =>
  Array.isArray(members) ? members.map(({ user }: { user: string }) => user) : [];

const list = async (socket: Socket, room: string, cursor?: string) => {
  const answer = await ask(socket, 'presence:list', { room, cursor });
  if (!answer.ok) throw new Error(answer.error.message);
  const { members, count, version, next } = answer.data;
  return { members, count, version, next, users: usersOf(members) };
};

describe('members of a room', () => {
  it('are users, the same seen from every node, and those who asked are told who comes and goes (row 35)', async () => {
    const room = newRoom();
    const alice = await one.connect('alice');
    const seen = await watch(alice, room);
    const bob = await two.connect('bob');
    const sameBob = await one.connect('bob');
    for (const socket of [bob, sameBob]) await ask(socket, 'room:join', { room });
    await eventually(() => expect(seen.here()).toEqual(['alice', 'bob']));
    for (const socket of [alice, bob]) {
      expect(await list(socket, room)).toMatchObject({ users: ['alice', 'bob'], count: 2 });
    }
    bob.disconnect();
    const carol = await two.connect('carol');
    await ask(carol, 'room:join', { room });
    await eventually(() => expect(seen.here()).toEqual(['alice', 'bob', 'carol']));
    sameBob.disconnect();
    await eventually(() => expect(seen.here()).toEqual(['alice', 'carol']));
    expect(seen.left()).toEqual(['bob']);
    expect(seen.told.at(-1)).toMatchObject({ count: 2 });
  });

  it('carry what their token says of them', async () => {
    const room = newRoom();
    const token = await signToken({ sub: 'dora', info: { name: 'Dora' } });
    const dora = one.client(token);
    await nextEvent(dora, 'connect');
    await ask(dora, 'room:join', { room });
    const erik = await two.connect('erik');
    await eventually(async () =>
      expect((await list(erik, room)).members).toEqual([{ user: 'dora', info: { name: 'Dora' } }]),
    );
  });

  it('carry what their newest token says, on the same node or on another one', async () => {
    const room = newRoom();
    const watcher = await one.connect('watcher');
    const seen = await watch(watcher, room);
    const tokenOf = (name: string) => signToken({ sub: 'dora', info: { name } });
    const isNow = (name: string) =>
      eventually(async () => {
        const [dora] = (await list(watcher, room)).members as unknown[]; // from the gateway
        expect(dora).toEqual({ user: 'dora', info: { name } });
        const joined = seen.told.flatMap((told) => ('joined' in told ? told.joined : []));
        expect(joined.findLast(({ user }) => user === 'dora')).toEqual(dora);
      });
    const dora = one.client(await tokenOf('Old'));
    await nextEvent(dora, 'connect');
    await ask(dora, 'room:join', { room });
    await isNow('Old');
    await ask(dora, 'token:refresh', { token: await tokenOf('New') });
    await ask(dora, 'room:leave', { room });
    await ask(dora, 'room:join', { room });
    await isNow('New');
    dora.disconnect();
    const again = two.client(await tokenOf('Newest'));
    await nextEvent(again, 'connect');
    await ask(again, 'room:join', { room });
    await isNow('Newest');
    expect(seen.left()).toEqual([]);
  });

  it('stay over a reload, on the same node or on another one', async () => {
    const room = newRoom();
    const watcher = await one.connect('watcher');
    const seen = await watch(watcher, room);
    let reloading = await two.connect('reloading');
    await ask(reloading, 'room:join', { room });
    await eventually(() => expect(seen.here()).toEqual(['reloading', 'watcher']));
    for (const node of [two, one]) {
      reloading.disconnect();
      reloading = await node.connect('reloading');
      await ask(reloading, 'room:join', { room });
    }
    const last = await two.connect('last');
    await ask(last, 'room:join', { room });
    await eventually(() => expect(seen.here()).toContain('last'));
    await ask(last, 'room:leave', { room });
    await eventually(() => expect(seen.here()).not.toContain('last'));
    expect(seen.left()).toEqual(['last']);
  });

  it('of one namespace are unknown in another, and so are those of an inbox', async () => {
    const room = newRoom();
    const alice = await one.connect('alice');
    await ask(alice, 'room:join', { room });
    await eventually(async () => expect((await list(alice, room)).count).toBe(1));
    expect((await list(alice, newRoom())).count).toBe(0);
  });
});

describe('a socket that', () => {
  it('may not see the presence is refused, in a list and in a join', async () => {
    const room = newRoom();
    const token = await signToken({ sub: 'mallory', rooms: { '**': ['join'] } });
    const mallory = one.client(token);
    await nextEvent(mallory, 'connect');
    const refused = { ok: false, error: { code: 'forbidden' } };
    expect(await ask(mallory, 'room:join', { room, presence: true })).toMatchObject(refused);
    expect(await ask(mallory, 'presence:list', { room })).toMatchObject(refused);
    expect(await ask(mallory, 'room:join', { room })).toMatchObject({ ok: true });
  });

  it('did not ask, or has left the room, is told nothing', async () => {
    const room = newRoom();
    const [quiet, leaver, watcher] = [
      await one.connect('quiet'),
      await one.connect('leaver'),
      await one.connect('watcher'),
    ];
    const told: string[] = [];
    for (const socket of [quiet, leaver]) socket.onAny((event: string) => told.push(event));
    await ask(quiet, 'room:join', { room });
    await ask(leaver, 'room:join', { room, presence: true });
    await ask(leaver, 'room:leave', { room });
    told.length = 0;
    const seen = await watch(watcher, room);
    await eventually(() => expect(seen.here()).toEqual(['quiet', 'watcher']));
    expect(told).toEqual([]);
  });
});

describe('a token that is refreshed', () => {
  const open = async (room: string) => {
    const everything = await signToken({ sub: 'refreshing', rooms: { '**': ['join', 'presence'] } });
    const socket = one.client(everything);
    await nextEvent(socket, 'connect');
    const control = await one.connect('control');
    const [seen, others] = [await watch(socket, room), await watch(control, room)];
    await eventually(() => {
      for (const { here } of [seen, others]) expect(here()).toEqual(['control', 'refreshing']);
    });
    const refresh = async (claims: Parameters<typeof signToken>[0]) => {
      const token = await signToken({ sub: 'refreshing', ...claims });
      expect(await ask(socket, 'token:refresh', { token })).toMatchObject({ ok: true });
      seen.told.length = 0;
    };
    const come = async (user: string) => {
      await ask(await two.connect(user), 'room:join', { room });
      await eventually(() => expect(others.here()).toContain(user));
      // What a node tells one socket arrives in order, so a later ack proves that nothing came before it.
      await ask(socket, 'room:leave', { room: newRoom() });
    };
    return { socket, seen, others, refresh, come };
  };
  const forbidden = { ok: false, error: { code: 'forbidden' } };

  it('without the presence ends what the socket is told, not its membership (G6)', async () => {
    const room = newRoom();
    const { socket, seen, others, refresh, come } = await open(room);
    await refresh({ rooms: { '**': ['join'] } });
    await come('bob');
    expect(seen.told).toEqual([]);
    expect(await ask(socket, 'presence:list', { room })).toMatchObject(forbidden);
    expect(await ask(socket, 'room:join', { room, presence: true })).toMatchObject(forbidden);
    expect(others.here()).toEqual(['bob', 'control', 'refreshing']);
    await refresh({});
    expect(usersOf((await watch(socket, room)).answer.members)).toContain('bob');
    await come('carol');
    expect(seen.told).toHaveLength(1);
  });

  it('without the room ends the membership too (G6)', async () => {
    const room = newRoom();
    const { socket, seen, others, refresh, come } = await open(room);
    const left = nextEvent(socket, 'room:left');
    await refresh({ rooms: { 'other:*': ['join', 'presence'] } });
    expect(await left).toEqual([{ room, reason: 'forbidden' }]);
    await eventually(() => expect(others.here()).toEqual(['control']));
    await come('bob');
    expect(seen.told).toEqual([]);
    expect(await list(await two.connect('dan'), room)).toMatchObject({ users: ['bob', 'control'] });
  });
});

describe('a large room', () => {
  it('is told in numbers and has a bounded list to page through, and small again it is told by name', async () => {
    const room = newRoom();
    const watcher = await one.connect('watcher');
    const seen = await watch(watcher, room);
    const others = await Promise.all(Array.from({ length: 9 }, (_, i) => two.connect(`user-${i}`)));
    await Promise.all(others.map((socket) => ask(socket, 'room:join', { room })));
    await eventually(() => expect(seen.told.at(-1)).toMatchObject({ count: 10 }));
    expect(seen.told.at(-1)).not.toHaveProperty('members');
    const late = await two.connect('late');
    const { answer } = await watch(late, room);
    expect(usersOf(answer.members)).toEqual(expect.arrayContaining(['user-0', 'user-8', 'watcher']));
    for (const socket of [...others.slice(1), late]) socket.disconnect();
    await eventually(() => expect(seen.here()).toEqual(['user-0', 'watcher']));
    expect(seen.told.length).toBeLessThan(10);
  });
});

describe('a node that stops', () => {
  it('hands its members on: those who go elsewhere stay, the others leave once', async () => {
    const room = newRoom();
    const stopping = await startNode({ REDIS_URL: redis.url, FANFARE_PRESENCE_GRACE_MS: '1500' });
    const watcher = await one.connect('watcher');
    const seen = await watch(watcher, room);
    const [staying, leaving] = [await stopping.connect('staying'), await stopping.connect('leaving')];
    for (const socket of [staying, leaving]) await ask(socket, 'room:join', { room });
    await eventually(() => expect(seen.here()).toEqual(['leaving', 'staying', 'watcher']));
    const moved = nextEvent(staying, 'disconnect', { timeoutMs: 10_000 }).then(async () => {
      const again = await two.connect('staying');
      await ask(again, 'room:join', { room });
    });
    await stopping.drain();
    await stopping[Symbol.asyncDispose]();
    await moved;
    await eventually(() => expect(seen.here()).toEqual(['staying', 'watcher']), { timeoutMs: 10_000 });
    expect(seen.left()).toEqual(['leaving']);
  });
});

describe('ten thousand joins and leaves', () => {
  it('leave no room, no key, no subscription and no memory behind (row 22)', async () => {
    await using own = new AsyncDisposableStack();
    const env = {
      REDIS_URL: redis.url,
      FANFARE_PRESENCE_GRACE_MS: String(GRACE_MS),
      FANFARE_LIMIT_SOCKET_JOINS: 'off',
      FANFARE_LIMIT_SOCKET_EVENTS: 'off',
      FANFARE_LIMIT_SOCKET_PACKETS: 'off',
    };
    const [node, other] = [own.use(await startNode(env)), own.use(await startNode(env))];
    const [socket] = [await node.connect('cycling'), await other.connect('other')];
    const target = redisUrl.parse(redis.url);
    const client = own.use(connectRedis({ target, name: 'test', onChange: () => undefined })).pub;
    const roomsOf = async () => {
      const metrics = await (await fetch(`${node.opsUrl}/metrics`)).text();
      return Number(/^fanfare_presence_rooms{.*} (\d+)$/m.exec(metrics)?.[1]);
    };
    const measure = async () => ({
      keys: (await client.keys('*cycle:*')).length,
      channels: (await client.pubsub('CHANNELS', '*cycle:*')).length,
      rooms: await roomsOf(),
    });
    const cycle = async (count: number) => {
      for (let i = 0; i < count; i += 50) {
        const names = Array.from({ length: 50 }, (_, j) => `cycle:${i + j}`);
        await ask(socket, 'room:join', { rooms: names.map((room) => ({ room, presence: true })) });
        await Promise.all(names.map((room) => ask(socket, 'room:leave', { room })));
      }
      await eventually(async () => expect(await measure()).toEqual({ keys: 0, channels: 0, rooms: 0 }), {
        timeoutMs: 10_000,
      });
    };
    await cycle(1000);
    const before = heapUsed();
    await cycle(10_000);
    expect(heapUsed() - before).toBeLessThan(3_000_000);
  });
});

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const heapUsed = (): number => {
  collect();
  return process.memoryUsage().heapUsed;
};
