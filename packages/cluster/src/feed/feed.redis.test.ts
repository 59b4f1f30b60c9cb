import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import type { Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../../test/start-server.ts';
import type { JoinAnswer, JoinRequest } from './feed.ts';

let stack: AsyncDisposableStack;
let redis: RedisServer;
let a: TestServer;
let b: TestServer;
let rooms = 0;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
  a = stack.use(await startServer(redis.url));
  b = stack.use(await startServer(redis.url));
});
afterAll(() => stack.disposeAsync());

const newRoom = (): string => {
  rooms += 1;
  return `room:${rooms}`;
};

const publish = (
  from: TestServer,
  room: string,
  data: unknown,
  more: { rooms?: string[]; except?: string[]; id?: string } = {},
) =>
  from.log.append(
    {
      namespace: '/',
      room,
      event: 'told',
      data,
      id: more.id ?? `${room}-${data}`,
      rooms: more.rooms,
      except: more.except,
    },
    { publisher: 'test', remember: true },
  );

/** Appends so many events to each of the rooms, and resolves with their data. */
const publishAll = async (from: TestServer, rooms: readonly string[], count: number): Promise<number[]> => {
  const all = Array.from({ length: count }, (_, i) => i);
  const events = all.flatMap((data) =>
    rooms.map((room) => ({
      event: { namespace: '/', room, event: 'told', data, id: `${rooms}-${data}`, rooms },
      publisher: 'test',
      remember: false,
    })),
  );
  await from.log.appendMany(events);
  return all;
};

/** Joins as a gateway does: reads, and makes the socket a member in the step of the answer. */
const join = async (
  server: TestServer,
  socket: ServerSocket,
  room: string,
  request: JoinRequest = {},
): Promise<JoinAnswer> => {
  using prepared = await server.adapter.prepareJoin(room, request);
  if (prepared === undefined) throw new Error('a room with a log expected');
  const answer = prepared.admit();
  if (answer.more === undefined) void socket.join(room);
  return { ...answer, events: [...server.adapter.forSocket(socket, answer.events)] };
};

const dataOf = (answer: JoinAnswer) => answer.events.map(({ data }) => data);

/** All that a client hears, in order: data of events, and names of what the protocol tells. */
const record = (client: Socket): unknown[] => {
  const heard: unknown[] = [];
  client.onAny((event: string, data: unknown) => heard.push(event === 'told' ? data : event));
  return heard;
};

describe('a logged event', () => {
  it('reaches the members on every node with its position, in the order of the log', async () => {
    const room = newRoom();
    const [one, two] = [await a.connect(), await b.connect()];
    for (const [server, { socket }] of [
      [a, one],
      [b, two],
    ] as const)
      await join(server, socket, room);
    const heard = [record(one.client), record(two.client)];
    const metas: unknown[] = [];
    two.client.on('told', (_data, meta) => metas.push(meta));
    for (let i = 0; i < 50; i += 1) void publish(i % 2 ? a : b, room, i);
    await eventually(() => expect(heard.map((list) => list.length)).toEqual([50, 50]));
    expect(heard[0]).toEqual(heard[1]);
    expect(metas.map((meta) => (meta as { offset: number }).offset)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  it('for several rooms is heard once by a socket in two of them, which is told to skip the other', async () => {
    const [red, blue] = [newRoom(), newRoom()];
    const { client, socket } = await a.connect();
    for (const room of [red, blue]) await join(a, socket, room);
    const heard = record(client);
    const skipped = nextEvent(client, 'room:skip');
    for (const room of [red, blue]) await publish(b, room, 'once', { rooms: [red, blue], id: 'm1' });
    expect(await skipped).toEqual([{ room: blue, epoch: expect.any(String), offset: 1 }]);
    expect(heard).toEqual(['once', 'room:skip']);
  });

  it('for several rooms is heard once, however many a node has to make good in each', async () => {
    const rooms = [newRoom(), newRoom()];
    const { client, socket } = await a.connect();
    for (const room of rooms) await join(a, socket, room);
    const heard = record(client);
    a.link.reconnect();
    const ids = await publishAll(b, rooms, 400);
    await eventually(() => expect(heard.length).toBe(800), { timeoutMs: 10_000 });
    expect(heard.filter((told) => told !== 'room:skip')).toEqual(ids);
  });

  it('is not for the users it excepts, live or recovered', async () => {
    const room = newRoom();
    const alice = await a.connect([], 'alice');
    const bob = await b.connect([], 'bob');
    await join(a, alice.socket, room);
    await join(b, bob.socket, room);
    const skipped = nextEvent(alice.client, 'room:skip');
    const told = nextEvent(bob.client, 'told');
    const { epoch } = await publish(a, room, 'secret', { except: ['alice'] });
    expect(await skipped).toEqual([{ room, epoch, offset: 1 }]);
    expect((await told)[0]).toBe('secret');
    const again = await a.connect([], 'alice');
    expect(await join(a, again.socket, room, { since: { epoch, offset: 0 } })).toMatchObject({
      recovered: true,
      offset: 1,
      events: [],
    });
  });
});

describe('joining', () => {
  it('with a position gets exactly what was missed', async () => {
    const room = newRoom();
    const { epoch } = await publish(a, room, 1);
    for (const data of [2, 3]) await publish(a, room, data);
    const { socket } = await b.connect();
    const answer = await join(b, socket, room, { since: { epoch, offset: 1 } });
    expect(answer).toMatchObject({ epoch, offset: 3, recovered: true });
    expect(dataOf(answer)).toEqual([2, 3]);
  });

  it('with the position of a room that nobody had published to gets everything since', async () => {
    const room = newRoom();
    const { socket } = await b.connect();
    const empty = await join(b, socket, room);
    expect(empty).toEqual({ epoch: '', offset: 0, recovered: false, events: [] });
    for (const data of [1, 2]) await publish(a, room, data);
    const answer = await join(b, socket, room, { since: empty });
    expect(answer).toMatchObject({ offset: 2, recovered: true });
    expect(dataOf(answer)).toEqual([1, 2]);
  });

  it.each<[what: string, reason: string, since: (epoch: string) => { epoch: string; offset: number }]>([
    ['another epoch', 'epoch', () => ({ epoch: 'f'.repeat(16), offset: 1 })],
    ['a position beyond the head', 'lost', (epoch) => ({ epoch, offset: 9 })],
  ])('with %s is told so as "%s" and gets the present position', async (_what, reason, since) => {
    const room = newRoom();
    const { epoch } = await publish(a, room, 1);
    const { socket } = await b.connect();
    expect(await join(b, socket, room, { since: since(epoch) })).toEqual({
      epoch,
      offset: 1,
      recovered: false,
      reason,
      events: [],
    });
  });

  it('with a position before the reach of the log is told so', async () => {
    await using own = new AsyncDisposableStack();
    const short = own.use(await startServer(redis.url, { retention: { count: 2 } }));
    const room = newRoom();
    const { epoch } = await publish(short, room, 1);
    for (const data of [2, 3, 4]) await publish(short, room, data);
    const { socket } = await short.connect();
    expect(await join(short, socket, room, { since: { epoch, offset: 1 } })).toMatchObject({
      recovered: false,
      reason: 'retention',
      offset: 4,
      events: [],
    });
    expect(dataOf(await join(short, socket, room, { since: { epoch, offset: 2 } }))).toEqual([3, 4]);
  });

  it('with replay gets the last so many', async () => {
    const room = newRoom();
    for (const data of [1, 2, 3]) await publish(a, room, data);
    const { socket } = await b.connect();
    const answer = await join(b, socket, room, { replay: 2 });
    expect(answer).toMatchObject({ offset: 3, recovered: false });
    expect(dataOf(answer)).toEqual([2, 3]);
    expect(dataOf(await join(b, socket, room, { replay: 100 }))).toEqual([1, 2, 3]);
  });

  it('in several rooms gets their common events once, however many were missed', async () => {
    const rooms = [newRoom(), newRoom()];
    const ids = await publishAll(a, rooms, 400);
    const { socket } = await b.connect();
    const answers = [];
    for (const room of rooms) answers.push(await join(b, socket, room, { replay: 400 }));
    expect(answers.map(dataOf)).toEqual([ids, []]);
  });

  it('again in the same room, as an answer was lost, gets the events for several rooms again', async () => {
    const [red, blue] = [newRoom(), newRoom()];
    const ids = await publishAll(a, [red, blue], 3);
    const { socket } = await b.connect();
    const answers = [];
    for (const room of [red, red, blue]) answers.push(await join(b, socket, room, { replay: 3 }));
    expect(answers.map(dataOf)).toEqual([ids, ids, []]);
  });

  it('comes in pages of 500 and makes no member before the last', async () => {
    const room = newRoom();
    const { epoch } = await publish(a, room, 0);
    await Promise.all(Array.from({ length: 699 }, (_, i) => publish(a, room, i + 1)));
    const { socket } = await b.connect();
    const first = await join(b, socket, room, { since: { epoch, offset: 0 } });
    expect(first).toMatchObject({ offset: 500, recovered: true, more: true });
    expect(socket.rooms.has(room)).toBe(false);
    const second = await join(b, socket, room, { since: first });
    expect(second).toMatchObject({ offset: 700, recovered: true });
    expect(second.more).toBeUndefined();
    expect([...first.events, ...second.events].map(({ meta }) => meta.offset)).toEqual(
      Array.from({ length: 700 }, (_, i) => i + 1),
    );
  });

  it('misses and doubles nothing however it races with publishes', async () => {
    const room = newRoom();
    const total = 400;
    let last = '';
    const publishing = (async () => {
      for (let i = 1; i <= total; i += 1) last = (await publish(a, room, i)).epoch;
    })();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { client, socket } = await b.connect();
        const heard = record(client);
        const answer = await join(b, socket, room);
        // What a stock client sees: the ack first, then everything live.
        const offset = answer.offset;
        await eventually(() => expect(heard.length).toBe(total - offset), { timeoutMs: 15_000 });
        return { heard, offset };
      }),
    );
    await publishing;
    expect(last).not.toBe('');
    for (const { heard, offset } of outcomes) {
      expect(heard).toEqual(Array.from({ length: total - offset }, (_, i) => offset + i + 1));
    }
  });

  it('is refused as "unavailable" while the log cannot be read', async () => {
    await using own = new AsyncDisposableStack();
    const server = own.use(await RedisServer.start());
    const one = own.use(await startServer(server.url));
    const { socket } = await one.connect();
    await server.stop();
    await eventually(() => expect(one.link.up).toBe(false));
    await expect(join(one, socket, newRoom())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(publish(one, newRoom(), 1)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a subscription that was down', () => {
  it('is made good from the log, in order, before what follows', async () => {
    const room = newRoom();
    const { client, socket } = await a.connect();
    await join(a, socket, room);
    const heard = record(client);
    await publish(b, room, 1);
    await eventually(() => expect(heard).toEqual([1]));
    a.link.reconnect();
    for (const data of [2, 3, 4]) await publish(b, room, data);
    await eventually(() => expect(heard).toEqual([1, 2, 3, 4]));
    await publish(b, room, 5);
    await eventually(() => expect(heard).toEqual([1, 2, 3, 4, 5]));
  });

  it('ends in a reset where the log no longer holds the range', async () => {
    await using own = new AsyncDisposableStack();
    const retention = { count: 2 };
    const short = own.use(await startServer(redis.url, { retention }));
    const other = own.use(await startServer(redis.url, { retention }));
    const room = newRoom();
    const { client, socket } = await short.connect();
    await join(short, socket, room);
    const heard = record(client);
    await publish(other, room, 1);
    await eventually(() => expect(heard).toEqual([1]));
    const reset = nextEvent(client, 'room:reset');
    short.link.reconnect();
    for (const data of [2, 3, 4, 5]) await publish(other, room, data);
    expect(await reset).toEqual([{ room, epoch: expect.any(String), offset: 5, reason: 'retention' }]);
    await publish(other, room, 6);
    await eventually(() => expect(heard).toEqual([1, 'room:reset', 6]));
  });

  it('ends in a reset of every member when Redis came back empty', async () => {
    await using own = new AsyncDisposableStack();
    const server = own.use(await RedisServer.start());
    const one = own.use(await startServer(server.url));
    const room = newRoom();
    const { client, socket } = await one.connect();
    await join(one, socket, room);
    const heard = record(client);
    await publish(one, room, 1);
    await eventually(() => expect(heard).toEqual([1]));
    const reset = nextEvent(client, 'room:reset', { timeoutMs: 10_000 });
    await server.restart();
    expect(await reset).toEqual([{ room, epoch: '', offset: 0, reason: 'lost' }]);
    await eventually(() => publish(one, room, 2));
    await eventually(() => expect(heard).toEqual([1, 'room:reset', 2]));
  });
});

const UNREADABLE: [what: string, write: (room: string) => Promise<unknown>][] = [
  [
    'is no message',
    async (room) => {
      const fields = ['m', Buffer.from([0xc1]), 'i', 'x', 't', '1', 'b', '1000'];
      await a.link.pub.xadd(`{socket.io#/#${room}#}:log`, '2-0', ...fields);
      await a.link.pub.hset(`{socket.io#/#${room}#}:head`, 'offset', 2);
    },
  ],
  [
    'has a name that would cut clients off',
    (room) =>
      a.log.append(
        { namespace: '/', room, event: 'disconnect', data: 2, id: 'x' },
        { publisher: 'test', remember: false },
      ),
  ],
];

describe('an entry of the log that nobody may be told', () => {
  it.each(UNREADABLE)('and %s is skipped and counted, and what follows is told', async (_what, write) => {
    const room = newRoom();
    const [one, two] = [await a.connect(), await b.connect()];
    await join(a, one.socket, room);
    await join(b, two.socket, room);
    const heard = [record(one.client), record(two.client)];
    const skipped = nextEvent(one.client, 'room:skip');
    const { epoch } = await publish(a, room, 1);
    const before = b.seen.invalid;
    await write(room);
    for (const data of [3, 4]) await publish(b, room, data);
    expect(await skipped).toEqual([{ room, epoch, offset: 2 }]);
    await eventually(() =>
      expect(heard).toEqual([
        [1, 'room:skip', 3, 4],
        [1, 'room:skip', 3, 4],
      ]),
    );
    expect(b.seen.invalid).toBeGreaterThan(before);
    expect([one.client.connected, two.client.connected]).toEqual([true, true]);

    const late = await b.connect();
    const answer = await join(b, late.socket, room, { since: { epoch, offset: 1 } });
    expect(answer).toMatchObject({ recovered: true, offset: 4 });
    expect(dataOf(answer)).toEqual([3, 4]);
  });
});

describe('stock code that joins a room by itself', () => {
  it('hears whatever is published once its join has resolved', async () => {
    for (let i = 0; i < 50; i += 1) {
      const room = newRoom();
      await publish(b, room, 'before');
      const { client, socket } = await a.connect();
      const heard = record(client);
      await socket.join(room);
      await publish(b, room, 'after');
      await eventually(() => expect(heard).toEqual(['after']));
      client.disconnect();
    }
  });
});
