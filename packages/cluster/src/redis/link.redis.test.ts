import { setImmediate as immediate } from 'node:timers/promises';
import { eventually, freePort, RedisServer } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { openLink } from '../../test/open-link.ts';
import { connectRedis } from './link.ts';
import { redisUrl } from './url.ts';

describe('the link to a standalone Redis', () => {
  it('carries out commands in the order in which they were asked for, however they are sent together', async () => {
    await using server = await RedisServer.start();
    await using link = await openLink(server.url);
    const wanted: string[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      for (let i = 0; i < 10; i += 1) {
        wanted.push(`${turn}.${i}`);
        void link.pub.rpush('order', `${turn}.${i}`);
      }
      await immediate();
    }
    expect(await link.pub.lrange('order', 0, -1)).toEqual(wanted);
  });

  it('sends a command although the answer to the one before it does not come', async () => {
    await using server = await RedisServer.start();
    await using link = await openLink(server.url);
    server.kill('SIGSTOP');
    const first = link.pub.set('first', 'sent');
    await expect(first).rejects.toThrow(/timed out/);
    await expect(link.pub.set('second', 'sent')).rejects.toThrow(/timed out/);
    server.kill('SIGCONT');
    // Answers come back in order, so both were sent before this one.
    expect(await link.pub.mget('first', 'second')).toEqual(['sent', 'sent']);
  });

  it('tells of a password that is refused although it was told that nobody listened there before', async () => {
    const port = await freePort();
    const told: (string | undefined)[] = [];
    await using link = connectRedis({
      target: redisUrl.parse(`redis://gateway:wrong@127.0.0.1:${port}`),
      name: 'test',
      onChange: (up, reason) => told.push(up ? 'up' : reason),
    });
    const absent = expect.stringMatching(
      /^Nothing listens where Redis at .* start it, or correct REDIS_URL$/,
    );
    await eventually(() => expect(told).toEqual([absent]), { timeoutMs: 5000 });
    await using server = await RedisServer.start({ port });
    const refused = `Redis at 127.0.0.1:${port} refuses the user "gateway" or its password: check REDIS_URL`;
    await eventually(() => expect(told).toEqual([absent, refused]), { timeoutMs: 5000 });
    await using admin = await openLink(server.url);
    await eventually(() => admin.pub.call('ACL', 'SETUSER', 'gateway', 'on', '>wrong', '+@all', '&*'));
    await eventually(() => expect(told).toEqual([absent, refused, 'up']), { timeoutMs: 5000 });
    expect(link.up).toBe(true);
  });
});
