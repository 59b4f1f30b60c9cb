import { RedisServer } from '@fanfare/testing';
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
    expect(await redis.pttl(keys.roomLog('/', where.room))).toBeLessThanOrEqual(50);
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

  it('writes nothing to a room that nobody published to', async () => {
    const [log, where] = [logOf({}), place()];
    const page = await log.sync(where, { epoch: '', offset: 0, id: '' }, { read: true });
    expect(page).toEqual({ head: { epoch: '', offset: 0 }, lost: false, events: [] });
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
      events: [],
    });
  });
});
