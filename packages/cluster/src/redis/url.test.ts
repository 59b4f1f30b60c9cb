import { describe, expect, it } from 'vitest';
import { redisUrl } from './url.ts';

describe('a REDIS_URL', () => {
  it.each([
    [
      'redis://127.0.0.1:7000',
      { kind: 'standalone', nodes: [{ host: '127.0.0.1', port: 7000 }], tls: false },
    ],
    ['redis://redis', { kind: 'standalone', nodes: [{ host: 'redis', port: 6379 }], username: undefined }],
    ['rediss://app:p%40ss@redis/0', { tls: true, username: 'app', password: 'p@ss' }],
    ['redis://:only-password@redis', { username: undefined, password: 'only-password' }],
    ['redis://[::1]:6380', { nodes: [{ host: '::1', port: 6380 }] }],
    [
      'redis+sentinel://a:1,b/primary',
      {
        kind: 'sentinel',
        master: 'primary',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
      },
    ],
    [
      'rediss+cluster://u:p@a:1,b:2',
      {
        kind: 'cluster',
        tls: true,
        username: 'u',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('%s is read', (text, target) => {
    expect(redisUrl.parse(text)).toMatchObject(target);
  });

  it.each([
    'localhost:6379',
    'http://redis',
    'redis://',
    'redis://a,b',
    'redis://redis/3',
    'redis+sentinel://a:1',
    'redis://a b',
  ])('%s is refused with the forms that work', (text) => {
    expect(redisUrl.safeParse(text).error?.issues[0]?.message).toContain('redis+sentinel://');
  });
});
