import { eventually, RedisCluster } from '@fanfare/testing';
import { expect, it } from 'vitest';
import { connectRedis } from '../redis/link.ts';
import { redisUrl } from '../redis/url.ts';
import { EventLog } from './event-log.ts';

it('appends to and lists the rooms of every master of a Redis Cluster', async () => {
  await using cluster = await RedisCluster.start();
  await using link = connectRedis({
    target: redisUrl.parse(cluster.url),
    name: 'test',
    onChange: () => undefined,
  });
  await eventually(() => expect(link.up).toBe(true), { timeoutMs: 10_000 });
  const log = new EventLog(link, [{ pattern: '**', count: 1000, bytes: 1_000_000, ageMs: 60_000 }]);
  const rooms = Array.from({ length: 100 }, (_, i) => `listed:${i}`);
  const append = (data: number) =>
    log.appendMany(
      rooms.map((room) => ({
        event: { namespace: '/', room, event: 'task:created', data, id: `e${data}` },
        publisher: 'test',
        remember: true,
      })),
    );
  expect(await append(1)).toMatchObject(rooms.map(() => ({ offset: 1, duplicate: false })));
  expect(await append(2)).toMatchObject(rooms.map(() => ({ offset: 2, duplicate: false })));
  expect(await append(2)).toMatchObject(rooms.map(() => ({ offset: 2, duplicate: true })));

  const found: { room: string; offset: number }[] = [];
  let cursor: string | undefined;
  do {
    const page = await log.listRooms('/', { cursor, limit: 10 });
    found.push(...page.rooms);
    cursor = page.next;
  } while (cursor !== undefined);
  expect(found.map(({ room }) => room).sort()).toEqual(rooms.sort());
  expect(found.every(({ offset }) => offset === 2)).toBe(true);
});
