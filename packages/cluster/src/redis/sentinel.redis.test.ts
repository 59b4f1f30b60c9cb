import { eventually, RedisSentinel } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis } from './link.ts';
import { redisTarget, redisUrl } from './url.ts';

const PASSWORD = 'p:ss@w0rd';

let sentinel: RedisSentinel;
beforeAll(async () => {
  sentinel = await RedisSentinel.start({ sentinelPassword: PASSWORD });
});
afterAll(() => sentinel?.[Symbol.asyncDispose]());

/** As a process with these settings does it. */
const connect = (settings: {
  FANFARE_REDIS_SENTINEL_USER?: string;
  FANFARE_REDIS_SENTINEL_PASSWORD?: string;
}) => {
  const reasons: string[] = [];
  const onChange = (up: boolean, reason = '') => reasons.push(up ? 'up' : reason);
  const given = { REDIS_URL: redisUrl.parse(sentinel.url), ...settings };
  const target = redisTarget(given, (text) => text);
  if (target === undefined) throw new Error('a URL is given');
  return Object.assign(connectRedis({ target, name: 'test', onChange }), { reasons });
};

describe('sentinels with a password', () => {
  it.each([
    { FANFARE_REDIS_SENTINEL_PASSWORD: PASSWORD },
    { FANFARE_REDIS_SENTINEL_PASSWORD: PASSWORD, FANFARE_REDIS_SENTINEL_USER: 'default' },
  ])('name the master to who knows it: %j', async (settings) => {
    await using link = connect(settings);
    await eventually(() => expect(link.up).toBe(true));
    await link.pub.set('some:key', 'kept');
    expect(await link.pub.get('some:key')).toBe('kept');
  });

  it.each([{}, { FANFARE_REDIS_SENTINEL_PASSWORD: 'another' }])(
    'name it to nobody else, who is told the setting: %j',
    async (settings) => {
      await using link = connect(settings);
      await eventually(() =>
        expect(link.reasons).toEqual([
          expect.stringMatching(/^The sentinels at .* check FANFARE_REDIS_SENTINEL_PASSWORD$/),
        ]),
      );
      expect(link.up).toBe(false);
    },
  );
});
