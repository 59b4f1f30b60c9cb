import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../../test/start-server.ts';
import { EventLog } from '../event-log/event-log.ts';
import { DEFAULT_RETENTION, retentionRules } from '../event-log/retention.ts';
import { connectRedis, type RedisLink } from '../redis/link.ts';
import { redisUrl } from '../redis/url.ts';
import { type ClusterPublisher, publishOverRedis } from './publisher.ts';

let stack: AsyncDisposableStack;
let redis: RedisServer;
let link: RedisLink;
let publisher: ClusterPublisher;
let a: TestServer;
let b: TestServer;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
  a = stack.use(await startServer(redis.url));
  b = stack.use(await startServer(redis.url));
  link = stack.use(
    connectRedis({ target: redisUrl.parse(redis.url), name: 'api', onChange: () => undefined }),
  );
  const retention = retentionRules.parse(DEFAULT_RETENTION);
  publisher = stack.use(publishOverRedis({ link, bus: busOf(link), log: new EventLog(link, retention) }));
  await eventually(() => expect(link.up).toBe(true));
});
afterAll(() => stack.disposeAsync());

/** Nobody asks here what was sent. */
const busOf = (link: RedisLink) => ({
  send: async (channel: string, message: string | Buffer) => Number(await link.publish(channel, message)),
});

const common = {
  namespace: '/',
  except: [],
  event: 'told',
  data: 1,
  id: 'x',
  publisher: 'test',
  ephemeral: true,
};

describe('an ephemeral publish without sockets', () => {
  it('reaches a socket in several of the rooms once, with a room that it is in', async () => {
    const { client: both } = await a.connect(['red:1', 'blue:1']);
    const { client: one } = await b.connect(['blue:1']);
    const heard: unknown[] = [];
    both.on('told', (...args) => heard.push(args));
    const end = nextEvent(both, 'end');
    const other = nextEvent(one, 'told');

    await publisher.publish({ ...common, rooms: ['red:1', 'blue:1', 'red:1'] });
    await publisher.publish({ ...common, rooms: ['blue:1'], event: 'end' });

    await end;
    expect(heard).toEqual([[1, { room: 'red:1', id: 'x', at: expect.any(Number) }]]);
    expect(await other).toEqual([1, { room: 'blue:1', id: 'x', at: expect.any(Number) }]);
  });

  it('leaves out the members of excepted rooms', async () => {
    const { client: muted } = await a.connect(['red:2', 'muted:2']);
    const { client: other } = await b.connect(['red:2']);
    const wrong: unknown[] = [];
    muted.on('told', (data) => wrong.push(data));
    const heard = nextEvent(other, 'told');
    const end = nextEvent(muted, 'end');
    await publisher.publish({ ...common, rooms: ['red:2'], except: ['muted:2'] });
    await publisher.publish({ ...common, rooms: ['red:2'], event: 'end' });
    await Promise.all([heard, end]);
    expect(wrong).toEqual([]);
  });

  it('is refused as "unavailable" while Redis is away', async () => {
    await using own = new AsyncDisposableStack();
    const server = own.use(await RedisServer.start());
    const away = own.use(
      connectRedis({ target: redisUrl.parse(server.url), name: 'api', onChange: () => undefined }),
    );
    const lost = own.use(publishOverRedis({ link: away, bus: busOf(away), log: new EventLog(away, []) }));
    await eventually(() => expect(away.up).toBe(true));
    await server.stop();
    await eventually(() => expect(away.up).toBe(false));
    const [result] = await lost.publish({ ...common, rooms: ['red:1'] });
    expect(result).toMatchObject({ room: 'red:1', error: { code: 'unavailable' } });
    await expect(lost.nodes()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a logged publish without sockets', () => {
  it('for several rooms is heard beside that of another publisher with the same id', async () => {
    const rooms = ['red:4', 'blue:4'];
    const { client } = await a.connect(rooms);
    const heard: unknown[] = [];
    client.onAny((event, data) => heard.push(event === 'told' ? data : event));
    const logged = { ...common, id: 'order-1', rooms, ephemeral: false };
    await publisher.publish({ ...logged, data: 'of one', publisher: 'key:one' });
    await eventually(() => expect(heard).toEqual(['of one', 'room:skip']));
    await publisher.publish({ ...logged, data: 'of two', publisher: 'key:two' });
    await eventually(() => expect(heard).toEqual(['of one', 'room:skip', 'of two', 'room:skip']));
  });

  it('is appended to each of its rooms under one id, and a retry completes it without doubling', async () => {
    const rooms = ['red:3', 'blue:3'];
    const logged = { ...common, id: 'p1', rooms, ephemeral: false };
    const first = await publisher.publish(logged);
    expect(first).toMatchObject(rooms.map((room) => ({ room, offset: 1, duplicate: false })));
    const again = await publisher.publish({ ...logged, rooms: [...rooms, 'green:3'] });
    expect(again).toMatchObject([
      { room: 'red:3', offset: 1, duplicate: true },
      { room: 'blue:3', offset: 1, duplicate: true },
      { room: 'green:3', offset: 1, duplicate: false },
    ]);
  });

  it('keeps what stands beside half a surrogate pair, for members and in the log', async () => {
    const { client } = await a.connect(['red:5']);
    const heard = nextEvent(client, 'told');
    const data = { text: 'party \ud83c…' };
    await publisher.publish({ ...common, rooms: ['red:5'], ephemeral: false, data });
    expect(await heard).toMatchObject([{ text: 'party \ufffd…' }, { offset: 1 }]);
    const place = { namespace: '/', room: 'red:5' };
    const past = await publisher.log?.history(place, { direction: 'forward', limit: 1 });
    expect(past?.events).toMatchObject([{ data: { text: 'party \ufffd…' } }]);
  });
});
