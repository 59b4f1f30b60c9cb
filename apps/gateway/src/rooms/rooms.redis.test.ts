import type { EventMeta } from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, signToken, startPair, type TestNode } from '../../test/start-node.ts';

const joinedRooms = z.object({
  data: z.object({
    rooms: z.array(
      z.object({
        room: z.string(),
        epoch: z.string(),
        offset: z.int(),
        events: z.array(z.object({ meta: z.object({ offset: z.int() }) })),
        more: z.literal(true).optional(),
        count: z.int().optional(),
      }),
    ),
  }),
});

let stack: AsyncDisposableStack;
let a: TestNode;
let b: TestNode;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  ({ a, b } = stack.use(await startPair()));
});
afterAll(() => stack.disposeAsync());

describe('a room over two nodes', () => {
  it('tells what one member publishes to every member on every node, the sender included (row 16)', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    for (const socket of [alice, bob]) await ask(socket, 'room:join', { room: 'project:1' });
    const heard = [nextEvent(alice, 'task:created'), nextEvent(bob, 'task:created')];

    const answer = await ask(alice, 'room:publish', {
      room: 'project:1',
      event: 'task:created',
      data: { id: 7 },
      id: 'x1',
    });

    expect(answer).toEqual({
      ok: true,
      data: { epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1, duplicate: false },
    });
    for (const arguments_ of await Promise.all(heard)) {
      expect(arguments_).toEqual([
        { id: 7 },
        {
          room: 'project:1',
          id: 'x1',
          at: expect.any(Number),
          from: 'alice',
          epoch: expect.any(String),
          offset: 1,
        },
      ]);
    }
  });

  it('answers a join with the position of a room that nobody published to', async () => {
    const alice = await a.connect('alice');
    expect(await ask(alice, 'room:join', { room: 'project:2' })).toEqual({
      ok: true,
      data: { room: 'project:2', epoch: '', offset: 0, recovered: false, events: [] },
    });
  });

  it('makes a member of a socket that asked for no answer', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    const room = 'project:unasked';
    alice.emit('room:join', { room });
    await eventually(async () =>
      expect(await ask(bob, 'presence:list', { room })).toMatchObject({ data: { count: 1 } }),
    );
    const heard = nextEvent(alice, 'task:created');
    await ask(bob, 'room:publish', { room, event: 'task:created', data: 7 });
    expect((await heard)[0]).toBe(7);
  });

  it('is left by a leave that was sent right after the join', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    const [left, kept] = ['project:hasty', 'project:kept'];
    const answers: string[] = [];
    const answered = (what: string) => () => void answers.push(what);
    alice.emit('room:join', { room: kept }, answered('joined'));
    alice.emit('room:join', { room: left }, answered('joined'));
    alice.emit('room:leave', { room: left }, answered('left'));
    await eventually(() => expect(answers).toEqual(['joined', 'joined', 'left']));
    const heard: unknown[] = [];
    alice.on('task:created', (data) => heard.push(data));
    for (const room of [left, kept])
      await ask(bob, 'room:publish', { room, event: 'task:created', data: room });
    await eventually(() => expect(heard).toContain(kept));
    expect(heard).toEqual([kept]);
  });

  it('is joined by a join that was sent right after the leave, whatever else is under way', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    const room = 'project:again';
    await ask(alice, 'room:join', { room });
    const answers: string[] = [];
    const answered = (what: string) => () => void answers.push(what);
    alice.emit('room:join', { room: 'project:other', presence: true }, answered('joined another'));
    alice.emit('room:leave', { room }, answered('left'));
    alice.emit('room:join', { room }, answered('joined'));
    await eventually(() => expect(answers).toEqual(['joined another', 'left', 'joined']));
    const heard = nextEvent(alice, 'task:created');
    await ask(bob, 'room:publish', { room, event: 'task:created', data: 1 });
    expect((await heard)[0]).toBe(1);
  });

  it('answers a join of several rooms one by one', async () => {
    const token = await signToken({ rooms: { 'project:*': ['join'] } });
    const alice = a.client(token);
    const answer = await ask(alice, 'room:join', { rooms: [{ room: 'project:1' }, { room: 'secret:1' }] });
    expect(answer).toMatchObject({
      ok: true,
      data: {
        rooms: [
          { room: 'project:1', recovered: false },
          { room: 'secret:1', error: { code: 'forbidden' } },
        ],
      },
    });
  });

  it('answers a join of rooms with long pasts with a megabyte at a time, and every event comes once', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    const [rooms, perRoom] = [10, 5];
    const data = 'x'.repeat(60_000);
    for (let n = 0; n < rooms * perRoom; n += 1) {
      const room = `long:${n % rooms}`;
      expect(await ask(alice, 'room:publish', { room, event: 'a:b', data })).toMatchObject({ ok: true });
    }
    // Those with an odd number ask for the last ones, which begin later than the log.
    let asked: object[] = Array.from({ length: rooms }, (_, n) =>
      n % 2 === 0 ? { room: `long:${n}`, since: { epoch: '', offset: 0 } } : { room: `long:${n}`, replay: 4 },
    );
    asked.push({ room: 'seen:1', presence: true });
    const heard: string[] = [];
    const counts: (number | undefined)[] = [];
    let answers = 0;
    for (; asked.length > 0; answers += 1) {
      const answer = await ask(bob, 'room:join', { rooms: asked });
      expect(JSON.stringify(answer).length).toBeLessThan(1_100_000);
      const joined = joinedRooms.parse(answer).data.rooms;
      expect(joined).toHaveLength(asked.length);
      heard.push(...joined.flatMap(({ room, events }) => events.map(({ meta }) => `${room} ${meta.offset}`)));
      counts.push(joined.find(({ room }) => room === 'seen:1')?.count);
      asked = joined
        .filter(({ more }) => more)
        .map(({ room, epoch, offset }) => ({
          room,
          since: { epoch, offset },
          presence: room === 'seen:1',
        }));
    }
    const expected = Array.from({ length: rooms }, (_, n) =>
      [1, 2, 3, 4, 5].slice(n % 2).map((offset) => `long:${n} ${offset}`),
    );
    expect(heard.sort()).toEqual(expected.flat().sort());
    expect(answers).toBe(3);
    // Who is there takes room too: it waits for an answer that has some.
    expect(counts).toEqual([undefined, undefined, expect.any(Number)]);
    const told = nextEvent(bob, 'a:b');
    await ask(alice, 'room:publish', { room: 'long:7', event: 'a:b', data: 1 });
    expect((await told)[0]).toBe(1);
  });

  it('tells a signal to the other members only', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    for (const socket of [alice, bob]) await ask(socket, 'room:join', { room: 'project:3' });
    const own: unknown[] = [];
    alice.on('typing', (data) => own.push(data));
    const heard = nextEvent(bob, 'typing');

    expect(await ask(alice, 'room:signal', { room: 'project:3', event: 'typing', data: true })).toEqual({
      ok: true,
      data: {},
    });

    expect((await heard)[0]).toBe(true);
    const after = nextEvent(alice, 'marker');
    await ask(bob, 'room:signal', { room: 'project:3', event: 'marker', data: 0 });
    await after;
    expect(own).toEqual([]);
  });

  it('tells nothing to a socket that left or was never there (row 15)', async () => {
    const [alice, bob, carol] = [await a.connect('alice'), await b.connect('bob'), await b.connect('carol')];
    const wrong: unknown[] = [];
    for (const socket of [bob, carol]) socket.onAny((event) => wrong.push(event));
    for (const socket of [alice, bob]) await ask(socket, 'room:join', { room: 'project:4' });
    await ask(bob, 'room:leave', { room: 'project:4' });
    const heard = nextEvent(alice, 'task:created');
    await ask(alice, 'room:publish', { room: 'project:4', event: 'task:created', data: 1 });
    await heard;
    // What a node tells one socket arrives in order, so a later ack proves that nothing came before it.
    for (const socket of [bob, carol]) await ask(socket, 'room:leave', { room: 'project:4' });
    expect(wrong).toEqual([]);
  });

  it('carries binary data byte for byte to another node (row 24)', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    for (const socket of [alice, bob]) await ask(socket, 'room:join', { room: 'project:5' });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const heard = nextEvent(bob, 'image');
    await ask(alice, 'room:signal', { room: 'project:5', event: 'image', data: { bytes } });
    expect((await heard)[0]).toEqual({ bytes });
  });
});

describe('what a token does not allow', () => {
  it.each([
    ['room:join', { room: 'secret:1' }],
    ['room:publish', { room: 'project:1', event: 'task:created', data: 1 }],
    ['room:signal', { room: 'secret:1', event: 'typing', data: 1 }],
  ])('%s is refused with "forbidden"', async (event, payload) => {
    const token = await signToken({ rooms: { 'project:*': ['join', 'signal', 'publish message:*'] } });
    expect(await ask(a.client(token), event, payload)).toMatchObject({
      ok: false,
      error: { code: 'forbidden', retryable: false },
    });
  });

  it('publishing is allowed for the event names that the token lists', async () => {
    const token = await signToken({ rooms: { 'project:*': ['publish message:*'] } });
    const answer = await ask(a.client(token), 'room:publish', {
      room: 'project:1',
      event: 'message:sent',
      data: 1,
    });
    expect(answer.ok).toBe(true);
  });
});

describe('what is not of the contract', () => {
  it.each([
    ['room:join', undefined, 'invalid_payload'],
    ['room:join', { room: 'no-colon' }, 'invalid_payload'],
    ['room:join', { room: 'project:1', extra: 1 }, 'invalid_payload'],
    ['room:join', { rooms: [] }, 'invalid_payload'],
    ['room:publish', { room: 'project:1', event: 'disconnect', data: 1 }, 'invalid_payload'],
    ['room:publish', { room: 'project:1', event: 'room:reset', data: 1 }, 'invalid_payload'],
    ['room:signal', 'text', 'invalid_payload'],
    ['no:such:event', {}, 'unknown_event'],
  ])('%s with %j gets the error %s', async (event, payload, code) => {
    const alice = await a.connect('alice');
    expect(await ask(alice, event, payload)).toMatchObject({ ok: false, error: { code } });
  });

  it('an unknown event without an ack is counted and changes nothing', async () => {
    const alice = await a.connect('alice');
    alice.emit('no:such:event', 1);
    expect((await ask(alice, 'room:leave', { room: 'project:1' })).ok).toBe(true);
  });
});

describe('an event in the making', () => {
  it('gets an id and a time from the cluster when the sender gives none', async () => {
    const alice = await a.connect('alice');
    await ask(alice, 'room:join', { room: 'project:6' });
    const before = Date.now();
    const heard = nextEvent(alice, 'task:created');
    await ask(alice, 'room:publish', { room: 'project:6', event: 'task:created', data: null });
    const meta = (await heard)[1] as EventMeta;
    expect(meta.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(meta.at).toBeGreaterThanOrEqual(before);
  });
});
