import { fileURLToPath } from 'node:url';
import { nextEvent, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { connectRedis } from './link.ts';
import { redisWarnings, tellRedisWarnings } from './settings.ts';
import { redisUrl } from './url.ts';

const DEPLOYED = fileURLToPath(new URL('../../../../deploy/redis/redis.conf', import.meta.url));

const ALL = [
  expect.stringContaining('Set "appendonly yes"'),
  expect.stringContaining('Set "maxmemory-policy noeviction", not allkeys-lru'),
  expect.stringContaining('commands of 512 MB'),
];

const connect = (url: string) => {
  const client = new Redis(url);
  return Object.assign(client, { [Symbol.dispose]: () => client.disconnect() });
};

describe('the settings of Redis', () => {
  it('are fine as they are deployed', async () => {
    await using server = await RedisServer.start({ config: DEPLOYED });
    using redis = connect(server.url);
    expect(await redisWarnings(redis)).toEqual([]);
  });

  it('bring a warning each where they may lose events or take the memory', async () => {
    await using server = await RedisServer.start({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    using redis = connect(server.url);
    expect(await redisWarnings(redis)).toEqual(ALL);
  });

  it('bring one warning where they may not be read', async () => {
    await using server = await RedisServer.start();
    using admin = connect(server.url);
    await admin.call('ACL', 'SETUSER', 'fanfare', 'on', '>secret', '+@all', '-config', '~*', '&*');
    using redis = connect(server.url.replace('://', '://fanfare:secret@'));
    expect(await redisWarnings(redis)).toEqual([
      expect.stringMatching(/^The settings of Redis cannot be read \(NOPERM .*appendonly, maxmemory-policy/),
    ]);
  });

  it('are told of once, when the link is made, and not again when it comes back', async () => {
    await using server = await RedisServer.start({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    const told: string[] = [];
    await using link = connectRedis({
      target: redisUrl.parse(server.url),
      name: 'test',
      onChange: () => undefined,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    tellRedisWarnings(link, (warning) => {
      if (told.push(warning) === ALL.length) resolve();
    });
    await promise;
    link.reconnect();
    await nextEvent(link.pub, 'ready');
    // Asked after the settings are, on the same connection.
    expect(await redisWarnings(link.pub)).toEqual(ALL);
    expect(told).toEqual(ALL);
  });
});
