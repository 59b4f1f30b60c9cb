import { randomUUID } from 'node:crypto';
import { eventually, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../keys.ts';
import { EventLog, type RetentionRule } from './event-log.ts';

let stack: AsyncDisposableStack;
let redis: Redis;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const server = stack.use(await RedisServer.start());
  redis = stack.adopt(new Redis(server.url), (client) => client.disconnect());
});
afterAll(() => stack.disposeAsync());

const ROOMY: RetentionRule = { pattern: '**', count: 1000, bytes: 1_000_000, ageMs: 60_000 };
const logOf = (...rules: Partial<RetentionRule>[]): EventLog =>
  new EventLog(
    { pub: redis, isSharded: false },
    rules.map((rule) => ({ ...ROOMY, ...rule })),
  );

let rooms = 0;
/** A room of its own for each test. */
const place = () => {
  rooms += 1;
  return { namespace: '/', room: `project:${rooms}` };
};

const publish = (log: EventLog, where: ReturnType<typeof place>, data: unknown, id = String(data)) =>
  log.append({ ...where, event: 'task:created', data, id }, { publisher: 'test', remember: true });

const dataOf = (page: { events: { data: unknown }[] }) => page.events.map(({ data }) => data);

describe('appending', () => {
  it('counts from one, without a hole, in an epoch of the room', async () => {
    const [log, where] = [logOf({}), place()];
    const first = await publish(log, where, 'a');
    expect(first).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1, duplicate: false });
    const rest = await Promise.all(['b', 'c', 'd'].map((data) => publish(log, where, data)));
    expect(rest.map(({ offset }) => offset).sort()).toEqual([2, 3, 4]);
    expect(new Set(rest.map(({ epoch }) => epoch))).toEqual(new Set([first.epoch]));
  });

  it('keeps any JSON as it was, with where it stands and who sent it', async () => {
    const [log, where] = [logOf({}), place()];
    const data = { text: 'ü \u2028', big: 2 ** 53 - 1, small: -0.5, deep: [[], {}, [null, true]], empty: '' };
    const { epoch } = await log.append(
      { ...where, event: 'task:created', data, id: 'x', from: 'alice' },
      { publisher: 'alice', remember: false },
    );
    const page = await log.history(where, { direction: 'forward', limit: 10 });
    expect(page.head).toEqual({ epoch, offset: 1 });
    expect(page.events).toMatchObject([
      {
        event: 'task:created',
        data,
        meta: { room: where.room, epoch, offset: 1, id: 'x', from: 'alice', at: expect.any(Number) },
      },
    ]);
  });

  it('appends an id of one publisher once and answers the second time with the first position', async () => {
    const [log, where] = [logOf({}), place()];
    const first = await publish(log, where, 'a', 'same');
    await publish(log, where, 'b');
    expect(await publish(log, where, 'changed', 'same')).toEqual({ ...first, duplicate: true });
    const other = await log.append(
      { ...where, event: 'e', data: 1, id: 'same' },
      { publisher: 'another', remember: true },
    );
    expect(other).toMatchObject({ offset: 3, duplicate: false });
    expect(dataOf(await log.history(where, { direction: 'forward', limit: 10 }))).toEqual(['a', 'b', 1]);
  });

  it('appends one id once however many try at the same time', async () => {
    const [log, where] = [logOf({}), place()];
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => publish(log, where, i, 'same')));
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(answers.map(({ offset }) => offset))).toEqual(new Set([1]));
  });
});

describe('appending many', () => {
  const entry = (where: ReturnType<typeof place>, data: unknown, id: string) => ({
    event: { ...where, event: 'task:created', data, id },
    publisher: 'test',
    remember: true,
  });

  it('keeps the order of each room and answers in the order of the events', async () => {
    const [log, a, b] = [logOf({}), place(), place()];
    const events = Array.from({ length: 250 }, (_, i) => entry(i % 5 === 0 ? b : a, i, `e${i}`));
    const results = await log.appendMany(events);
    expect(results).toHaveLength(250);
    for (const [room, wanted] of [
      [a, events.filter(({ event }) => event.room === a.room)],
      [b, events.filter(({ event }) => event.room === b.room)],
    ] as const) {
      const page = await log.history(room, { direction: 'forward', limit: 500 });
      expect(dataOf(page)).toEqual(wanted.map(({ event }) => event.data));
      const offsets = results.filter((_, i) => events[i]?.event.room === room.room);
      expect(offsets).toMatchObject(wanted.map((_, i) => ({ offset: i + 1, duplicate: false })));
    }
  });

  it('appends an id once, though it comes twice in one call and had come before', async () => {
    const [log, where] = [logOf({}), place()];
    await publish(log, where, 'old', 'same');
    const ids = ['same', 'new', 'new', 'same', 'last'];
    const results = await log.appendMany(ids.map((id) => entry(where, id, id)));
    expect(results).toMatchObject([
      { offset: 1, duplicate: true },
      { offset: 2, duplicate: false },
      { offset: 2, duplicate: true },
      { offset: 1, duplicate: true },
      { offset: 3, duplicate: false },
    ]);
    expect(dataOf(await log.history(where, { direction: 'forward', limit: 10 }))).toEqual([
      'old',
      'new',
      'last',
    ]);
  });

  it('resolves with what failed and why, beside what did not', async () => {
    const [log, good, bad] = [logOf({}), place(), place()];
    await redis.set(keys.roomHead('/', bad.room), 'not a hash');
    const results = await log.appendMany([entry(good, 1, 'a'), entry(bad, 2, 'b'), entry(good, 3, 'c')]);
    expect(results).toMatchObject([{ offset: 1 }, { code: 'unavailable' }, { offset: 2 }]);
  });
});

describe('retention', () => {
  it('keeps so many events and no more', async () => {
    const [log, where] = [logOf({ count: 3 }), place()];
    for (const data of [1, 2, 3, 4, 5]) await publish(log, where, data);
    expect(dataOf(await log.history(where, { direction: 'forward', limit: 10 }))).toEqual([3, 4, 5]);
  });

  it('keeps so many bytes and no more', async () => {
    const [log, where] = [logOf({ bytes: 3000 }), place()];
    for (let i = 0; i < 20; i += 1) await publish(log, where, 'x'.repeat(1000), String(i));
    const page = await log.history(where, { direction: 'forward', limit: 100 });
    expect(page.events).toHaveLength(2);
    expect(page.head.offset).toBe(20);
  });

  it('keeps no event for longer than its age once another one comes', async () => {
    const [log, where] = [logOf({ ageMs: 200 }), place()];
    await publish(log, where, 1);
    await publish(log, where, 2);
    await eventually(async () => {
      await publish(log, where, 'later', randomUUID());
      const kept = dataOf(await log.history(where, { direction: 'forward', limit: 500 }));
      expect(kept).not.toContain(2);
      expect(kept).toContain('later');
    });
  });

  it('counts bytes anew when the log has gone', async () => {
    const [log, where] = [logOf({ bytes: 3000 }), place()];
    for (const id of ['a', 'b']) await publish(log, where, 'x'.repeat(1000), id);
    await log.clear(where);
    for (const id of ['c', 'd']) await publish(log, where, 'x'.repeat(1000), id);
    expect((await log.history(where, { direction: 'forward', limit: 10 })).events).toHaveLength(2);
  });

  it('is that of the first rule that matches the room', async () => {
    const log = logOf({ pattern: 'project:*', count: 1 }, {});
    const where = place();
    for (const data of [1, 2]) await publish(log, where, data);
    expect(dataOf(await log.history(where, { direction: 'forward', limit: 10 }))).toEqual([2]);
    const other = { namespace: '/', room: `${where.room.replace('project', 'chat')}` };
    for (const data of [1, 2]) await publish(log, other, data);
    expect(dataOf(await log.history(other, { direction: 'forward', limit: 10 }))).toEqual([1, 2]);
  });

  it('lets an old log go by itself and keeps the position of its room', async () => {
    const [log, where] = [logOf({ ageMs: 50 }), place()];
    await publish(log, where, 1);
    expect(await redis.pttl(keys.roomLog('/', where.room))).toBeLessThanOrEqual(57);
    await redis.del(keys.roomLog('/', where.room));
    expect(await publish(log, where, 2)).toMatchObject({ offset: 2 });
    expect(await redis.pttl(keys.roomHead('/', where.room))).toBeGreaterThan(29 * 86_400_000);
  });
});

describe('reading', () => {
  it('goes on from an offset in both directions', async () => {
    const [log, where] = [logOf({}), place()];
    for (const data of [1, 2, 3, 4, 5]) await publish(log, where, data);
    const read = async (direction: 'forward' | 'backward', from?: number) =>
      dataOf(await log.history(where, { direction, from, limit: 2 }));
    expect(await read('forward')).toEqual([1, 2]);
    expect(await read('forward', 2)).toEqual([3, 4]);
    expect(await read('forward', 5)).toEqual([]);
    expect(await read('backward')).toEqual([5, 4]);
    expect(await read('backward', 4)).toEqual([3, 2]);
    expect(await read('backward', 1)).toEqual([]);
  });

  it('ends a page after about 1 MB, in both directions', async () => {
    const [log, where] = [logOf({ bytes: 10_000_000 }), place()];
    for (let i = 1; i <= 20; i += 1) await publish(log, where, 'x'.repeat(64_000), String(i));
    const offsets = async (direction: 'forward' | 'backward') =>
      (await log.history(where, { direction, limit: 20 })).events.map(({ meta }) => meta.offset);
    expect(await offsets('forward')).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(await offsets('backward')).toEqual(Array.from({ length: 15 }, (_, i) => 20 - i));
  });

  it('leaves out entries that are no events, and ends no earlier for them', async () => {
    const [log, where] = [logOf({}), place()];
    await publish(log, where, 1);
    for (const offset of [2, 3]) {
      const fields = ['m', Buffer.from('strange'), 'i', 'x', 't', '1', 'b', '1000'];
      await redis.xadd(keys.roomLog('/', where.room), `${offset}-0`, ...fields);
    }
    await redis.hset(keys.roomHead('/', where.room), 'offset', 3);
    await publish(log, where, 4);
    for (const [direction, from, found] of [
      ['forward', 1, 4],
      ['backward', 4, 1],
    ] as const) {
      const page = await log.history(where, { direction, from, limit: 1 });
      expect(dataOf(page)).toEqual([found]);
      expect(page.first).toBe(direction === 'forward' ? 2 : 3);
    }
  });

  it('writes nothing to a room that nobody published to', async () => {
    const [log, where] = [logOf({}), place()];
    const page = await log.sync(where, { epoch: '', offset: 0, id: '' }, { read: true });
    expect(page).toEqual({ head: { epoch: '', offset: 0 }, headId: '', lost: false, events: [] });
    expect(await redis.exists(keys.roomHead('/', where.room), keys.roomLog('/', where.room))).toBe(0);
  });

  it('forgets the events of a room and not its position', async () => {
    const [log, where] = [logOf({}), place()];
    const { epoch } = await publish(log, where, 1);
    expect(await log.clear(where)).toBe(1);
    expect(await log.history(where, { direction: 'forward', limit: 10 })).toEqual({
      head: { epoch, offset: 1 },
      events: [],
    });
    expect(await publish(log, where, 2)).toMatchObject({ epoch, offset: 2 });
  });
});

describe('listing rooms', () => {
  /** Reads every page. */
  const list = async (log: EventLog, namespace: string, limit: number) => {
    const pages: { room: string; epoch: string; offset: number }[][] = [];
    let cursor: string | undefined;
    do {
      const page = await log.listRooms(namespace, { cursor, limit });
      pages.push(page.rooms);
      cursor = page.next;
    } while (cursor !== undefined);
    return pages;
  };

  it('finds every room of the namespace once, page by page, with its position', async () => {
    const log = logOf({});
    const names = Array.from({ length: 300 }, (_, i) => `listed:${i}`);
    const inbox = 'inbox:is-not-listed';
    const events = [...names, inbox].map((room) => ({
      event: { namespace: '/listed', room, event: 'e', data: 1, id: 'x' },
      publisher: 'test',
      remember: true,
    }));
    await log.appendMany([...events, ...events.map((one) => ({ ...one, remember: false }))]);
    await log.appendMany(events.map((one) => ({ ...one, event: { ...one.event, namespace: '/other' } })));
    const pages = await list(log, '/listed', 50);
    expect(pages.length).toBeGreaterThan(2);
    expect(
      pages
        .flat()
        .map(({ room }) => room)
        .sort(),
    ).toEqual(names.sort());
    for (const room of pages.flat()) {
      expect(room).toEqual({ room: room.room, epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 2 });
    }
  });

  it('is not misled by the id of an event', async () => {
    const log = logOf({});
    const where = { namespace: '/ids', room: 'project:1' };
    await publish(log, where, 1, '#}:head');
    await publish(log, where, 2, 'x#*#}:head');
    expect((await list(log, '/ids', 100)).flat()).toMatchObject([{ room: 'project:1', offset: 2 }]);
  });

  it.each(['7', '0.18446744073709551616', '0.99999999999999999999'])(
    'refuses %s, which is no cursor',
    async (cursor) => {
      await expect(logOf({}).listRooms('/', { cursor, limit: 1 })).rejects.toMatchObject({
        code: 'invalid_payload',
      });
    },
  );

  it('takes the largest cursor that Redis takes', async () => {
    const page = await logOf({}).listRooms('/none', { cursor: '0.18446744073709551615', limit: 1 });
    expect(page.rooms).toEqual([]);
  });
});

describe('a Redis that lost writes', () => {
  it('is found out by a head below what was heard, once, and begins a new epoch', async () => {
    const [log, where] = [logOf({}), place()];
    const { epoch } = await publish(log, where, 1);
    const first = await log.sync(where, { epoch, offset: 3, id: 'gone' }, { read: true });
    expect(first).toMatchObject({ lost: true, head: { offset: 1 }, events: [] });
    expect(first.head.epoch).not.toBe(epoch);
    const second = await log.sync(where, { epoch, offset: 3, id: 'gone' }, { read: true });
    expect(second).toMatchObject({ lost: false, head: first.head });
  });

  it('is found out by another event at the same offset', async () => {
    const [log, where] = [logOf({}), place()];
    const { epoch } = await publish(log, where, 1);
    await publish(log, where, 2);
    expect(await log.sync(where, { epoch, offset: 1, id: 'another' }, { read: true })).toMatchObject({
      lost: true,
    });
  });

  it('is found out when everything is gone', async () => {
    const [log, where] = [logOf({}), place()];
    const { epoch } = await publish(log, where, 1);
    await redis.del(keys.roomHead('/', where.room), keys.roomLog('/', where.room));
    expect(await log.sync(where, { epoch, offset: 1, id: '1' }, { read: true })).toEqual({
      lost: true,
      head: { epoch: '', offset: 0 },
      headId: '',
      events: [],
    });
  });
});
