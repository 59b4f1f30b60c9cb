import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../test/start-server.ts';
import { type ClusterPublisher, publishOverRedis } from './publisher.ts';
import { connectRedis, type RedisLink } from './redis.ts';

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
  link = stack.use(connectRedis({ url: redis.url, name: 'api', onChange: () => undefined }));
  publisher = stack.use(publishOverRedis(link));
  await eventually(() => expect(link.up).toBe(true));
});
afterAll(() => stack.disposeAsync());

const common = { namespace: '/', except: [], event: 'told', data: 1, id: 'x' };

describe('a publish without sockets', () => {
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
    const away = own.use(connectRedis({ url: server.url, name: 'api', onChange: () => undefined }));
    const lost = own.use(publishOverRedis(away));
    await eventually(() => expect(away.up).toBe(true));
    await server.stop();
    await eventually(() => expect(away.up).toBe(false));
    await expect(lost.publish({ ...common, rooms: ['red:1'] })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(lost.nodes()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
