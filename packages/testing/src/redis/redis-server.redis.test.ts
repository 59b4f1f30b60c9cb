import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { RedisServer } from './redis-server.ts';

/** Inline commands, and QUIT so that the reply ends. */
const ask = async (redis: RedisServer, ...commands: string[]): Promise<string> => {
  const socket = connect(redis.port, '127.0.0.1');
  socket.write([...commands, 'QUIT', ''].join('\r\n'));
  return text(socket);
};

test('it answers, keeps nothing on disk, and removes its folder', async () => {
  let dir: string | undefined;
  {
    await using redis = await RedisServer.start();
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);
    expect(await ask(redis, 'PING')).toContain('+PONG');
    expect(await ask(redis, 'CONFIG GET save')).toBe('*2\r\n$4\r\nsave\r\n$0\r\n\r\n+OK\r\n');
    dir = /\r\n(\/.*)\r\n/.exec(await ask(redis, 'CONFIG GET dir'))?.[1];
    expect(existsSync(dir ?? '')).toBe(true);
  }
  expect(existsSync(dir ?? '')).toBe(false);
});

test('it comes back on the same port after SIGKILL, with its log when it was told to keep one', async () => {
  await using redis = await RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const { pid, url } = redis;
  await ask(redis, 'SET kept yes');
  redis.kill('SIGKILL');
  await redis.restart();
  expect(redis.url).toBe(url);
  expect(redis.pid).not.toBe(pid);
  expect(await ask(redis, 'GET kept')).toContain('yes');
});

test('it takes a configuration file, but not where that one listens and writes', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-redis-test-'));
  await using _ = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
  const config = join(dir, 'given.conf');
  await writeFile(config, 'bind 192.0.2.1\nport 1\n dir /no/such/folder\nappendonly yes\nmaxmemory 7mb\n');
  await using redis = await RedisServer.start({ config });
  expect(await ask(redis, 'CONFIG GET maxmemory')).toContain(String(7 * 1024 ** 2));
  await ask(redis, 'SET kept yes');
  await redis.restart();
  expect(await ask(redis, 'GET kept')).toContain('yes');
});

test('it starts with a password', async () => {
  await using redis = await RedisServer.start({ args: ['--requirepass', 'secret'] });
  expect(await ask(redis, 'PING')).toContain('-NOAUTH');
});

test('a port that another Redis has is a failure with the output of the second', async () => {
  await using first = await RedisServer.start();
  await expect(RedisServer.start({ port: first.port })).rejects.toThrow(/Address already in use/);
  expect(await ask(first, 'PING')).toContain('+PONG');
});
