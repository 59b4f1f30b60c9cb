import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, freePort, RedisServer } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis } from './link.ts';
import { redisCaFile, redisUrl } from './url.ts';

const run = promisify(execFile);

/** An authority, and a certificate of it for these names. */
const makeCertificates = async (dir: string, names: string): Promise<void> => {
  const file = (name: string) => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-subj', '/CN=Test authority', '-keyout', file('ca.key'), '-out', file('ca.pem')];
  await run('openssl', ['req', '-x509', ...key, ...authority, '-days', '1']);
  const request = ['-subj', '/CN=redis', '-keyout', file('redis.key'), '-out', file('redis.csr')];
  await run('openssl', ['req', ...key, ...request]);
  await writeFile(file('names'), `subjectAltName=${names}`);
  const signed = ['-in', file('redis.csr'), '-extfile', file('names'), '-out', file('redis.pem')];
  const by = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '1'];
  await run('openssl', ['x509', '-req', ...signed, ...by]);
};

/** A Redis whose certificate is for `names`; `rediss://` is its only way in but for the test's own look at it. */
const startRedis = async (names: string) => {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-tls-'));
  stack.defer(() => rm(dir, { recursive: true }));
  await makeCertificates(dir, names);
  const port = await freePort();
  const files = ['--tls-cert-file', join(dir, 'redis.pem'), '--tls-key-file', join(dir, 'redis.key')];
  const tls = ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no'];
  stack.use(await RedisServer.start({ args: tls }));
  const owned = stack.move();
  return {
    url: `rediss://127.0.0.1:${port}`,
    caFile: join(dir, 'ca.pem'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

const connect = (url: string, ca?: string) => {
  const reasons: string[] = [];
  const target = { ...redisUrl.parse(url), ca };
  const onChange = (up: boolean, reason = '') => reasons.push(up ? 'up' : reason);
  return Object.assign(connectRedis({ target, name: 'test', onChange }), { reasons });
};

describe('a Redis with TLS', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    redis = await startRedis('IP:127.0.0.1');
  });
  afterAll(() => redis?.[Symbol.asyncDispose]());

  it('takes commands and subscriptions of who knows its authority', async () => {
    await using link = connect(redis.url, redisCaFile.parse(redis.caFile));
    await eventually(() => expect(link.up).toBe(true));
    const heard: string[] = [];
    link.onMessage((channel, message) => heard.push(`${channel} ${message}`));
    await link.subscribe(['socket.io#/#']);
    await link.publish('socket.io#/#', 'over TLS');
    await eventually(() => expect(heard).toEqual(['socket.io#/# over TLS']));
  });

  it('tells who asks it without TLS what to write', async () => {
    await using link = connect(redis.url.replace('rediss:', 'redis:'));
    await eventually(() =>
      expect(link.reasons).toEqual([expect.stringMatching(/if it wants TLS, write rediss:\/\//)]),
    );
  });

  it('is not talked to by who does not know its authority, and the reason is told', async () => {
    await using link = connect(redis.url);
    await eventually(() =>
      expect(link.reasons).toEqual([expect.stringMatching(/name it in FANFARE_REDIS_CA_FILE/)]),
    );
  });

  it('is not talked to when its certificate is for another name', async () => {
    await using other = await startRedis('DNS:redis.example.com');
    await using link = connect(other.url, redisCaFile.parse(other.caFile));
    await eventually(() =>
      expect(link.reasons).toEqual([expect.stringMatching(/use one of them in REDIS_URL/)]),
    );
  });

  it.each([
    ['/nowhere/ca.pem', 'cannot be read'],
    [import.meta.filename, 'holds no certificate'],
  ])('has no authority in %s', (path, why) => {
    expect(redisCaFile.safeParse(path).error?.issues[0]?.message).toContain(why);
  });
});
