import { Bus, connectRedis, RedisPresence, redisUrl } from '@fanfare/cluster';
import {
  batchResponse,
  clearHistoryResponse,
  historyResponse,
  presencePage,
  publishResponse,
  roomsResponse,
} from '@fanfare/protocol';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, startApi } from '../../test/start-api.ts';

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi({ FANFARE_RETENTION: 'short:*=3/1mb/1h,**=1000/1mb/1h' });
});
afterAll(() => api[Symbol.asyncDispose]());

const ask = (path: string, init: RequestInit & { key?: string } = {}) =>
  fetch(`${api.url}${path}`, {
    ...init,
    headers: {
      authorization: `Bearer ${init.key ?? KEYS.billing}`,
      'content-type': 'application/json',
    },
  });

const event = (data: unknown, changes: Record<string, unknown> = {}) => ({
  event: 'task:created',
  data,
  ...changes,
});

const publish = async (body: unknown, key?: string) => {
  const response = await ask('/v1/publish', {
    method: 'POST',
    body: JSON.stringify(body),
    ...(key !== undefined && { key }),
  });
  expect(response.status).toBe(200);
  return publishResponse.parse(await response.json()).results;
};

/** Publishes numbers from 1, one event each. */
const publishNumbers = async (room: string, count: number, changes: Record<string, unknown> = {}) => {
  const commands = Array.from({ length: count }, (_, i) => event(i + 1, { room, ...changes }));
  const response = await ask('/v1/batch', { method: 'POST', body: JSON.stringify({ commands }) });
  return batchResponse.parse(await response.json()).results;
};

const history = async (room: string, query: Record<string, string> = {}) =>
  historyResponse.parse(await (await ask(`/v1/rooms/${room}/history?${new URLSearchParams(query)}`)).json());

const numbersOf = ({ events }: { events: { data: unknown }[] }) => events.map(({ data }) => data);

describe('a logged publish', () => {
  it('answers with its position in each room', async () => {
    const [first] = await publish(event(1, { room: 'publish:1' }));
    const results = await publish(event(2, { rooms: ['publish:1', 'publish:2'] }));
    expect(results).toEqual([
      { room: 'publish:1', epoch: first?.epoch, offset: 2, duplicate: false },
      { room: 'publish:2', epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1, duplicate: false },
    ]);
  });

  it('is appended once with an id, for each API key', async () => {
    const body = event(1, { room: 'publish:3', id: 'same' });
    const [first] = await publish(body);
    expect(await publish({ ...body, data: 'changed' })).toEqual([{ ...first, duplicate: true }]);
    expect(await publish(body, KEYS.webshop)).toMatchObject([{ offset: 2, duplicate: false }]);
  });

  it('is not what an ephemeral one is', async () => {
    const results = await publish(event(1, { room: 'publish:4', ephemeral: true }));
    expect(results).toEqual([{ room: 'publish:4', epoch: '', offset: null, duplicate: false }]);
    expect(await history('publish:4')).toEqual({ epoch: '', offset: 0, recovered: false, events: [] });
  });
});

describe('a batch', () => {
  it('of 1000 commands is appended in order, with a position for each', async () => {
    const results = await publishNumbers('batch:1', 1000);
    expect(results.map(({ results: [one] }) => one?.offset)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    const page = await history('batch:1', { limit: '500' });
    expect(numbersOf(page)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  });

  it('may be sent again where its events have ids', async () => {
    const commands = ['a', 'b', 'c'].map((id) => event(id, { room: 'batch:2', id }));
    const send = async (some: unknown[]) => {
      const body = JSON.stringify({ commands: some });
      return batchResponse.parse(await (await ask('/v1/batch', { method: 'POST', body })).json()).results;
    };
    await send(commands.slice(0, 2));
    expect((await send(commands)).map(({ results: [one] }) => [one?.offset, one?.duplicate])).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(numbersOf(await history('batch:2'))).toEqual(['a', 'b', 'c']);
  });
});

describe('the history of a room', () => {
  it('is read page by page in both directions', async () => {
    await publishNumbers('history:1', 5);
    const first = await history('history:1', { limit: '2' });
    expect(numbersOf(first)).toEqual([1, 2]);
    expect(first).toMatchObject({ offset: 5, recovered: false });
    const { epoch } = first;
    const next = await history('history:1', { limit: '2', since: '2', epoch });
    expect(numbersOf(next)).toEqual([3, 4]);
    expect(next.recovered).toBe(true);
    const end = await history('history:1', { since: '5', epoch });
    expect(end).toEqual({ epoch, offset: 5, recovered: true, events: [] });

    const last = await history('history:1', { direction: 'backward', limit: '2' });
    expect(numbersOf(last)).toEqual([5, 4]);
    const before = await history('history:1', { direction: 'backward', since: '4' });
    expect(numbersOf(before)).toEqual([3, 2, 1]);
    expect(before.recovered).toBe(true);
  });

  it('has what its members were told, and whom an event was not for', async () => {
    await publish(event({ id: 7 }, { room: 'history:2', id: 'order-1', except: ['alice', 'bob'] }));
    const { epoch, events } = await history('history:2');
    expect(events).toEqual([
      {
        event: 'task:created',
        data: { id: 7 },
        meta: { room: 'history:2', id: 'order-1', at: expect.any(Number), epoch, offset: 1 },
        except: ['alice', 'bob'],
      },
    ]);
  });

  it('says that events are missing which are no longer kept', async () => {
    await publishNumbers('short:1', 5);
    const page = await history('short:1', { since: '1' });
    expect(page.recovered).toBe(false);
    expect(numbersOf(page)).toEqual([3, 4, 5]);
    expect((await history('short:1', { since: '2' })).recovered).toBe(true);
  });

  it('reads nothing on from an offset of another epoch, or from beyond the end', async () => {
    await publishNumbers('history:3', 3);
    const { epoch } = await history('history:3');
    const other = await history('history:3', { since: '1', epoch: 'f'.repeat(16) });
    expect(other).toEqual({ epoch, offset: 3, recovered: false, events: [] });
    for (const since of ['4', '99999999999998', '99999999999999', String(Number.MAX_SAFE_INTEGER)]) {
      expect(await history('history:3', { since })).toEqual(other);
      const before = await history('history:3', { since, direction: 'backward' });
      expect({ since, numbers: numbersOf(before) }).toEqual({ since, numbers: [3, 2, 1] });
    }
  });

  it('is forgotten on request, while offsets go on', async () => {
    await publishNumbers('history:4', 3);
    const { epoch } = await history('history:4');
    const deleted = await ask('/v1/rooms/history:4/history', { method: 'DELETE' });
    expect(clearHistoryResponse.parse(await deleted.json())).toEqual({ deleted: 3 });
    expect(await history('history:4', { since: '1' })).toEqual({
      epoch,
      offset: 3,
      recovered: false,
      events: [],
    });
    expect(await publish(event(4, { room: 'history:4' }))).toMatchObject([{ epoch, offset: 4 }]);
  });

  it('belongs to a namespace', async () => {
    await publishNumbers('history:5', 2, { namespace: '/chat' });
    expect((await history('history:5')).events).toEqual([]);
    expect(numbersOf(await history('history:5', { namespace: '/chat' }))).toEqual([1, 2]);
    await ask('/v1/rooms/history:5/history', { method: 'DELETE' });
    expect(numbersOf(await history('history%3A5', { namespace: '/chat' }))).toEqual([1, 2]);
  });
});

describe('the list of rooms', () => {
  it('has every room of the namespace with its position, page by page', async () => {
    const rooms = Array.from({ length: 250 }, (_, i) => `list:${i}`);
    const commands = rooms.map((room) => event(1, { room, namespace: '/chat' }));
    await ask('/v1/batch', { method: 'POST', body: JSON.stringify({ commands }) });
    const found: string[] = [];
    let pages = 0;
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({ namespace: '/chat', limit: '20', cursor: cursor ?? '' });
      const page = roomsResponse.parse(await (await ask(`/v1/rooms?${query}`)).json());
      for (const { room, epoch, offset } of page.rooms.filter(({ room }) => room.startsWith('list:'))) {
        expect({ epoch, offset }).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1 });
        found.push(room);
      }
      cursor = page.next;
      pages += 1;
    } while (cursor !== undefined);
    expect(found.sort()).toEqual(rooms.sort());
    expect(pages).toBeGreaterThan(1);
  });
});

describe('who is in a room', () => {
  it('is counted, and listed page by page in the order of names (row 28)', async () => {
    await using own = new AsyncDisposableStack();
    const link = own.use(
      connectRedis({ target: redisUrl.parse(api.redis.url), name: 'test', onChange: () => undefined }),
    );
    const ignore = () => undefined;
    const observer = {
      publishDropped: ignore,
      missed: ignore,
      invalidMessage: ignore,
      partialAnswer: ignore,
      roomReset: ignore,
    };
    const store = own.use(
      new RedisPresence({
        link,
        bus: own.use(new Bus(link, observer)),
        process: { node: 'n1', worker: '0', incarnation: 'x' },
        listMax: 100,
        graceMs: 1,
        observe: { leaseEnded: ignore, leaseReplaced: ignore },
      }),
    );
    const place = { namespace: '/chat', room: 'chat:1' };
    const path = '/v1/rooms/chat:1/presence?namespace=/chat';
    const read = async (query = '') => presencePage.parse(await (await ask(`${path}${query}`)).json());
    for (const user of ['bob', 'alice', 'carol']) store.hold(place, { user, info: { user } });
    await eventually(async () => expect((await read('&limit=0')).count).toBe(3));
    const first = await read('&limit=2');
    expect(first.members).toEqual([
      { user: 'alice', info: { user: 'alice' } },
      { user: 'bob', info: { user: 'bob' } },
    ]);
    const last = await read(`&cursor=${first.next}`);
    expect(last).toEqual({
      members: [{ user: 'carol', info: { user: 'carol' } }],
      count: 3,
      version: first.version,
    });
    expect((await ask('/v1/rooms/chat:1/presence?namespace=/none')).status).toBe(404);
  });
});
