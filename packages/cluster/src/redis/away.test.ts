import { describe, expect, it } from 'vitest';
import { createChangeTeller, whyAway } from './away.ts';
import { redisUrl } from './url.ts';

const target = (url: string) => redisUrl.parse(url);

describe('why Redis is away', () => {
  it.each([
    [
      'redis://gateway:secret@redis',
      'WRONGPASS invalid username-password pair or user is disabled.',
      'Redis at redis:6379 refuses the user "gateway" or its password: check REDIS_URL',
    ],
    [
      'redis://redis',
      'NOAUTH Authentication required.',
      'Redis at redis:6379 asks for a password: write redis://USER:PASSWORD@… in REDIS_URL',
    ],
    [
      'redis://redsi:6380',
      'getaddrinfo ENOTFOUND redsi',
      'Redis at redsi:6380 has no address (getaddrinfo ENOTFOUND redsi): check the host in REDIS_URL',
    ],
    [
      'redis://127.0.0.1:1',
      'connect ECONNREFUSED 127.0.0.1:1',
      'Nothing listens where Redis at 127.0.0.1:1 should be (connect ECONNREFUSED 127.0.0.1:1): start it, or correct REDIS_URL',
    ],
    [
      'rediss://redis',
      'connect ETIMEDOUT',
      'Redis at redis:6379 does not answer (connect ETIMEDOUT): check the network in between and REDIS_URL, and whether it speaks TLS there',
    ],
    [
      'redis+sentinel://a,b:1/main',
      'All sentinels are unreachable. Retrying from scratch after 67ms.',
      'The sentinels at a:26379,b:1: All sentinels are unreachable. Retrying from scratch after 67ms.',
    ],
  ])('%s, %s', (url, error, reason) => {
    expect(whyAway(target(url), new Error(error)).reason).toBe(reason);
  });

  it('is the last word of a node of a cluster', () => {
    const error = Object.assign(new Error('Failed to refresh slots cache.'), {
      lastNodeError: new Error('WRONGPASS no'),
    });
    const { reason } = whyAway(target('redis+cluster://gateway:x@a,b'), error);
    expect(reason).toBe(
      'The Redis Cluster at a:6379,b:6379 refuses the user "gateway" or its password: check REDIS_URL',
    );
  });

  it('never has the password', () => {
    const { reason } = whyAway(target('redis://gateway:secret@redis'), new Error('something else'));
    expect(reason).toBe('Redis at redis:6379: something else');
  });
});

it('each kind of reason is told once, until the link stands again', () => {
  let up = false;
  const told: (string | undefined)[] = [];
  const teller = createChangeTeller(() => up, {
    target: target('redis://redis'),
    onChange: (isUp, reason) => told.push(isUp ? 'up' : reason),
  });
  const loss = teller.createLoss();
  const fail = (message: string) => {
    loss.failed(new Error(message));
    loss.closed();
  };
  for (const message of ['connect ECONNREFUSED', 'connect ECONNREFUSED', 'WRONGPASS', 'connect ECONNREFUSED'])
    fail(message);
  expect(told.splice(0)).toEqual([
    expect.stringContaining('Nothing listens'),
    expect.stringContaining('refuses the user "default"'),
  ]);
  up = true;
  teller.ready();
  teller.ready();
  loss.failed(new Error('read ECONNRESET'));
  expect(told.splice(0)).toEqual(['up']);
  up = false;
  loss.closed();
  expect(told).toEqual(['Redis at redis:6379 closed the connection']);
});
