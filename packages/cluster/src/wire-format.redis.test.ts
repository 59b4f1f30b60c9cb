import { readFileSync } from 'node:fs';
import { eventually, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { decode, encode } from 'notepack.io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startServer, type TestServer } from '../test/start-server.ts';
import { readResponse } from './adapter/bus-messages.ts';
import { splitMessage } from './event-log/wire.ts';
import { keys } from './keys.ts';
import { listNodes } from './nodes/registry.ts';

/**
 * What a node of release 0.1 writes, recorded. While a cluster is rolled such a node talks to those of the next release:
 * when one of these tests fails, a format has changed in a way that the two do not understand each other.
 */
const recorded = z
  .object({
    broadcast: z.string(),
    logged: z.array(z.string()),
    head: z.record(z.string(), z.string()),
    requests: z.array(z.string()),
    ackRequest: z.string(),
    responses: z.array(z.string()),
    ackResponse: z.string(),
    report: z.string(),
    missedQuestion: z.string(),
    missedAnswer: z.string(),
  })
  .parse(JSON.parse(readFileSync(new URL('../test/wire-0.1.json', import.meta.url), 'utf8')));

const ROOM = 'recorded:1';
const EPOCH = '0123456789abcdef';
const CHANNEL = keys.roomChannel('/', ROOM);
const DATA = { text: 'ünï', list: [1, null, true] };
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

let stack: AsyncDisposableStack;
/** The node of the other release. */
let other: Redis;
let hears: Redis;
let a: TestServer;
let b: TestServer;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const connect = () => stack.adopt(new Redis(redis.url), (client) => client.disconnect());
  [other, hears] = [connect(), connect()];
  a = stack.use(await startServer(redis.url, { node: 'a' }));
  b = stack.use(await startServer(redis.url, { node: 'b' }));
  for (const offset of [1, 2]) await writeLog(offset);
});
afterAll(() => stack.disposeAsync());

const invalid = () => a.seen.invalid + b.seen.invalid;

/** Writes a recorded event into the log of the room, as the append script of that release does. */
const writeLog = async (offset: number): Promise<Buffer> => {
  const message = bytes(recorded.logged[offset - 1] ?? '');
  await other.hset(keys.roomHead('/', ROOM), { ...recorded.head, offset: String(offset) });
  const fields = ['m', message, 'i', `id-${offset}`, 't', '1760000000000', 'b', String(200 * offset)];
  await other.xadd(keys.roomLog('/', ROOM), `${offset}-0`, ...fields);
  return message;
};

describe('what a node of release 0.1 writes is understood', () => {
  it('as an event that has no log', async () => {
    const heard = await Promise.all(
      [a, b].map(async (node) => {
        const { client } = await node.connect([ROOM]);
        const told: unknown[] = [];
        client.on('told', (data) => told.push(data));
        return told;
      }),
    );
    await other.publish(CHANNEL, bytes(recorded.broadcast));
    await eventually(() => expect(heard).toEqual([[{ n: 1 }], [{ n: 1 }]]));
  });

  it('as a log, and live on its channel', async () => {
    const room = ROOM;
    using join = await b.adapter.prepareJoin(room, { replay: 10 });
    const { events, ...position } = join?.admit() ?? { events: [] };
    expect(position).toMatchObject({ epoch: EPOCH, offset: 2 });
    const at = 1_760_000_000_000;
    expect(events.map(({ data, meta }) => ({ data, meta }))).toEqual([
      { data: { n: 1, ...DATA }, meta: { room, epoch: EPOCH, offset: 1, id: 'id-1', at } },
      { data: { n: 2, ...DATA }, meta: { room, epoch: EPOCH, offset: 2, id: 'id-2', at, from: 'alice' } },
    ]);

    const { client: bob } = await b.connect([room], 'bob');
    const { client: eve } = await b.connect([room], 'eve');
    const told: unknown[] = [];
    bob.on('room:skip', (skip) => told.push(['bob', skip]));
    eve.on('task:created', (_data, meta) => told.push(['eve', meta]));
    await other.publish(CHANNEL, await writeLog(3));
    await eventually(() => expect(told).toHaveLength(2));
    expect(told).toContainEqual(['bob', { room, epoch: EPOCH, offset: 3 }]);
    expect(told).toContainEqual(['eve', { room, epoch: EPOCH, offset: 3, id: 'id-3', at }]);
  });

  it('as the event at which a node stands, by its id and its time', async () => {
    const position = { epoch: EPOCH, offset: 3, id: 'id-3', at: 1_760_000_000_000 };
    const place = { namespace: '/', room: ROOM };
    expect(await b.log.sync(place, position, { read: true })).toMatchObject({ lost: false });
  });

  it('as a log that the next release appends to', async () => {
    const event = { namespace: '/', room: ROOM, event: 'task:created', data: 1, id: 'next' };
    expect(await a.log.append(event, { publisher: 'test', remember: true })).toEqual({
      epoch: EPOCH,
      offset: 4,
      duplicate: false,
    });
  });

  it('as requests, each answered as that release expects it', async () => {
    const { socket } = await a.connect([ROOM]);
    const answers: unknown[] = [];
    hears.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
      answers.push(message[0] === 0x7b ? JSON.parse(message.toString()) : decode(message));
    });
    await hears.subscribe(`${keys.responseChannel('/')}q1w2e3#`);
    const asked: unknown[] = [];
    a.io.on('server:told', (value) => asked.push(value));
    a.io.on('server:asked', (value: number, answer: (value: number) => void) => answer(value + 1));
    const before = invalid();
    for (const request of recorded.requests) await other.publish(keys.requestChannel('/'), request);
    await other.publish(keys.requestChannel('/'), bytes(recorded.ackRequest));
    await eventually(() => {
      const fromA = answers.filter(
        (answer) => z.looseObject({ node: z.literal('a') }).safeParse(answer).success,
      );
      expect(fromA).toContainEqual(
        expect.objectContaining({ requestId: 'r0', sockets: expect.arrayContaining([socket.id]) }),
      );
      expect(fromA).toContainEqual(
        expect.objectContaining({ requestId: 'r1', rooms: expect.arrayContaining([ROOM]) }),
      );
      expect(fromA).toContainEqual(expect.objectContaining({ requestId: 'r5', sockets: expect.any(Array) }));
      expect(fromA).toContainEqual({ requestId: 'r6', node: 'a', type: 6, data: 2 });
      expect(fromA).toContainEqual(expect.objectContaining({ requestId: 'r7', type: 8 }));
    });
    expect(asked).toEqual([1]);
    expect(invalid()).toBe(before);
  });

  it('as answers', () => {
    const read = [...recorded.responses.map((text) => Buffer.from(text)), bytes(recorded.ackResponse)];
    expect(read.map((message) => readResponse(message).requestId)).toEqual(['r0', 'r1', 'r6', 'r7', 'r7']);
  });

  it('as a report of itself', async () => {
    await other.hset(keys.nodeReports, 'recorded/0', recorded.report);
    await other.zadd(keys.nodeLeases, Date.now() + 60_000, 'recorded/0');
    // That release does not tell of users.
    expect(await listNodes(a.link.pub)).toEqual([{ ...JSON.parse(recorded.report), users: 0 }]);
  });

  it('as a question after what was missed, and its answer', async () => {
    const { by } = z.object({ by: z.string() }).parse(JSON.parse(recorded.missedQuestion));
    await a.link.publish('warm-up', '');
    a.io.to(ROOM).emit('told', 'missed');
    const told = new Promise<unknown>((resolve) => {
      hears.on('message', (channel, message) => {
        if (channel === keys.missedAnswerChannel(by)) resolve(JSON.parse(message));
      });
    });
    await hears.subscribe(keys.missedAnswerChannel(by));
    await eventually(async () => {
      await other.publish(keys.missedChannel, recorded.missedQuestion);
    });
    const shape = (value: unknown) => Object.keys(z.looseObject({}).parse(value)).sort();
    expect(shape(await told)).toEqual(shape(JSON.parse(recorded.missedAnswer)));
  });
});

describe('what release 0.1 has to read', () => {
  it('is written as it was recorded', () => {
    const [first = ''] = recorded.logged;
    const data = { n: 1, ...DATA };
    const event = { namespace: '/', room: ROOM, event: 'task:created', data, id: 'id-1' };
    const [head, rest] = splitMessage(event, 'test');
    const before = bytes(first).indexOf(EPOCH);
    expect(head.toString('hex')).toBe(first.slice(0, before * 2));
    // Up to the time, which is another one.
    const after = bytes(first).subarray(bytes(first).indexOf('id-1') - 4);
    expect(rest.subarray(0, rest.indexOf('at'))).toEqual(after.subarray(0, after.indexOf('at')));
  });

  it('says of an event for several rooms whose it is, and nothing else that was not recorded', () => {
    const rooms = [ROOM, 'recorded:2'];
    const event = { namespace: '/', room: ROOM, event: 'task:created', data: 1, id: 'id-3', rooms };
    const [, rest] = splitMessage({ ...event, except: ['bob'] }, 'test');
    const targetOf = (message: Buffer) => decode(message.subarray(message.indexOf(encode('rooms')) - 1));
    const before = z.looseObject({}).parse(targetOf(bytes(recorded.logged[2] ?? '')));
    expect(targetOf(rest)).toEqual({ ...before, publisher: 'test' });
  });
});

describe('what a later release may add', () => {
  it('to any message is passed over', async () => {
    const { client } = await b.connect(['later:1']);
    const heard: unknown[] = [];
    client.on('told', (data) => heard.push(data));
    const before = invalid();
    const packet = { type: 2, data: ['told', 'plain'], nsp: '/', later: { nested: true } };
    const target = { rooms: ['later:1'], except: [], flags: { later: 1 }, later: [1, 2] };
    await other.publish(keys.roomChannel('/', 'later:1'), encode(['q1w2e3', packet, target]));
    const request = { uid: 'q1w2e3', requestId: 'x1', type: 1, later: 'more' };
    await other.publish(keys.requestChannel('/'), JSON.stringify(request));
    const question = { by: 'x', later: 1, gaps: [{ id: 1, sinceMs: 1, untilMs: 0, later: 1 }] };
    await other.publish(keys.missedChannel, JSON.stringify(question));
    await eventually(() => expect(heard).toEqual(['plain']));
    expect(invalid()).toBe(before);
  });

  it('as another kind of message is counted by every node, and stops none', async () => {
    const before = invalid();
    await other.publish(
      keys.requestChannel('/'),
      JSON.stringify({ uid: 'q1w2e3', requestId: 'x2', type: 77 }),
    );
    await other.publish(keys.missedChannel, JSON.stringify({ question: 'other' }));
    await eventually(() => expect(invalid()).toBe(before + 4));
  });

  it('to reports of nodes, or in their stead, hides no other node', async () => {
    await other.del(keys.nodeReports);
    const later = { ...z.looseObject({}).parse(JSON.parse(recorded.report)), later: 1 };
    const ends = Date.now() + 60_000;
    await other.zadd(keys.nodeLeases, ends, 'later/0', ends, 'strange/0');
    await other.hset(keys.nodeReports, 'later/0', JSON.stringify(later), 'strange/0', 'no json');
    expect(await listNodes(a.link.pub)).toMatchObject([{ node: 'recorded' }]);
  });
});
