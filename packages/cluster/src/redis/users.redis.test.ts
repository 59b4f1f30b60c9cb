import { glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nextEvent, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keys } from '../keys.ts';
import { addToIndex, beat, takeApart } from '../presence/leases.ts';
import { readPresence } from '../presence/redis-store.ts';
import { loadScript } from './script.ts';

const FOLDER = fileURLToPath(new URL('../../../../deploy/redis/', import.meta.url));
const SOURCES = fileURLToPath(new URL('../', import.meta.url));

type User = 'gateway' | 'api' | 'operator';
const USERS: readonly User[] = ['gateway', 'api', 'operator'];
const PASSWORD = 'password-of-the-test';

let server: RedisServer;
let admin: Redis;
const clients = new Map<User, Redis>();
beforeAll(async () => {
  server = await RedisServer.start();
  admin = new Redis(server.url);
  const lines = (await readFile(`${FOLDER}users.conf`, 'utf8')).split('\n');
  for (const line of lines.filter((text) => text.startsWith('user ') && !text.includes('default'))) {
    const rules = line.replace(/\$\{\w+:\?\}/, PASSWORD).split(' ');
    await admin.call('ACL', 'SETUSER', ...rules.slice(1));
  }
  for (const username of USERS) {
    clients.set(username, new Redis({ port: server.port, username, password: PASSWORD }));
  }
});
afterAll(async () => {
  for (const client of [admin, ...clients.values()]) client?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

const disposable = (client: Redis) => Object.assign(client, { [Symbol.dispose]: () => client.disconnect() });
const as = (user: User): Redis => clients.get(user) ?? admin;
const mayRun = async (user: User, ...command: string[]): Promise<boolean> =>
  (await admin.call('ACL', 'DRYRUN', user, ...command)) === 'OK';

const PLACE = { namespace: '/chat', room: 'project:42' };
const builders = z.record(z.string(), z.union([z.string(), z.custom<(...args: unknown[]) => unknown>()]));
/** What every builder of a key or channel makes of a place, an incarnation, a publisher, whatever it takes. */
const built = (): { name: string; text: string }[] =>
  Object.entries(builders.parse(keys)).flatMap(([name, builder]) => {
    if (name === 'roomOfHead' || name === 'roomHeads') return [];
    if (typeof builder === 'string') return [{ name, text: builder }];
    // Those of a place take it as an object with more after it, or as two names.
    const asPlace = String(builder(PLACE, 'user:alice', 'id-1'));
    const asNames = String(builder(PLACE.namespace, PLACE.room, 'user:alice'));
    return [{ name, text: asPlace.includes('[object') ? asNames : asPlace }];
  });
const isChannel = (name: string): boolean => /channel|probe/i.test(name);

/** What is for gateways only: whoever has it can move, disconnect or unlist the sockets and nodes of the cluster. */
const GATEWAYS_ONLY = /^(request|response)Channel$|^node|^presence(?!Channel)/;

const CHANNELS = ['socket.io#/#', 'socket.io#/chat#project:42#', 'fanfare:probe:1'];
const HARM = [
  ['FLUSHALL'],
  ['FLUSHDB'],
  ['KEYS', '*'],
  ['CONFIG', 'SET', 'appendonly', 'no'],
  ['CONFIG', 'REWRITE'],
  ['SHUTDOWN'],
  ['MONITOR'],
  ['DEBUG', 'SLEEP', '1'],
  ['REPLICAOF', 'evil.example', '6379'],
  ['ACL', 'SETUSER', 'default', 'on'],
  ['MODULE', 'LIST'],
  ['SCRIPT', 'FLUSH'],
  ['FUNCTION', 'FLUSH'],
  ['PSUBSCRIBE', '*'],
  ['SET', 'foreign', 'x'],
  ['PUBLISH', 'foreign', 'x'],
  ['SAVE'],
];

describe('the users of deploy/redis', () => {
  it('leave nobody in without a password, and lose nothing when Redis reads its file again', async () => {
    const config = join(await mkdtemp(join(tmpdir(), 'fanfare-users-')), 'redis.conf');
    await using _ = { [Symbol.asyncDispose]: () => rm(dirname(config), { recursive: true }) };
    const users = await readFile(`${FOLDER}users.conf`, 'utf8');
    await writeFile(config, `appendonly yes\n${users.replaceAll(/\$\{\w+:\?\}/g, PASSWORD)}`);
    await using redis = await RedisServer.start({ config, login: `gateway:${PASSWORD}@` });
    using gateway = disposable(new Redis(redis.url));
    const script = "return redis.call('SET', KEYS[1], 'a') and redis.call('SET', KEYS[2], 'b')";
    await gateway.call('EVAL', script, 2, '{fanfare:test}:a', '{fanfare:test}:b');
    await redis.restart();
    await nextEvent(gateway, 'ready');
    expect(await gateway.get('{fanfare:test}:b')).toBe('b');
    using nobody = disposable(new Redis({ port: redis.port, retryStrategy: () => null }));
    nobody.on('error', () => undefined);
    await expect(nobody.ping()).rejects.toThrow(/NOAUTH/);
    await expect(gateway.call('AUTH', 'default', '')).rejects.toThrow(/WRONGPASS/);
  });

  it.each(USERS)('let %s do no harm, nor touch what is not ours', async (user) => {
    for (const command of HARM) {
      expect([command.join(' '), await mayRun(user, ...command)]).toEqual([command.join(' '), false]);
      const [name = '', ...args] = command;
      // Redis refuses DEBUG by itself.
      await expect(as(user).call(name, ...args)).rejects.toThrow(/NOPERM|DEBUG command not allowed/);
    }
  });

  it('let gateways use every key and every channel that is built', async () => {
    for (const { name, text } of built()) {
      const command = isChannel(name) ? ['PUBLISH', text, ''] : ['DEL', text];
      expect([name, text, await mayRun('gateway', ...command)]).toEqual([name, text, true]);
      if (isChannel(name)) expect([name, await mayRun('gateway', 'SUBSCRIBE', text)]).toEqual([name, true]);
    }
  });

  it('let gateways hold presence, read it and take apart what another one has left', async () => {
    const gateway = as('gateway');
    const lease = 'n1/0/x.1';
    expect(await beat(gateway, { lease, opens: { replaces: 'n1/0/' } })).toEqual({ isOurs: true, ended: [] });
    expect(await addToIndex(gateway, lease, { rooms: ['/ project:1'], lifeMs: 1000 })).toBe(true);
    const place = { namespace: '/', room: 'project:1' };
    const changeKeys = [
      keys.presentMembers(place.namespace, place.room),
      keys.presentOrder(place.namespace, place.room),
      keys.presentLease(place, lease),
    ];
    const change = loadScript(new URL('../presence/change.lua', import.meta.url));
    expect(await change.run(gateway, changeKeys, ['PUBLISH', 1000, 10, 0, 1, 'alice', ''])).toBe(1);
    for (const user of ['gateway', 'api'] as const) {
      expect(await readPresence(as(user), place, { limit: 10 })).toMatchObject({ count: 1 });
    }
    await takeApart(gateway, lease, async () => {
      expect(await change.run(gateway, changeKeys, ['PUBLISH', 1000, 10, 1000, 10])).toBe(0);
    });
    expect(await readPresence(gateway, place, { limit: 10 })).toMatchObject({ count: 0 });
  });

  it('let the api write to rooms and publish, and leave nodes and their requests to gateways', async () => {
    for (const { name, text } of built()) {
      const command = isChannel(name) ? ['PUBLISH', text, ''] : ['DEL', text];
      const isAllowed = !GATEWAYS_ONLY.test(name);
      expect([name, text, await mayRun('api', ...command)]).toEqual([name, text, isAllowed]);
    }
    for (const key of [keys.nodeLeases, keys.nodeReports])
      expect(await mayRun('api', 'HVALS', key)).toBe(true);
    const kick = JSON.stringify({ type: 4, opts: { rooms: [] }, close: true });
    await expect(as('api').publish(keys.requestChannel('/'), kick)).rejects.toThrow(/NOPERM/);
    expect(await as('gateway').publish(keys.requestChannel('/'), kick)).toBe(0);
  });

  it('let the api list rooms, which gateways may not, and nobody write through a script that only reads', async () => {
    expect(await mayRun('api', 'SCAN', '0')).toBe(true);
    expect(await mayRun('gateway', 'SCAN', '0')).toBe(false);
    const write = "return redis.call('SET', KEYS[1], 'x')";
    await expect(as('api').call('EVAL', write, 1, keys.nodeReports)).rejects.toThrow(/NOPERM/);
    await expect(as('api').call('EVAL', "return redis.call('FLUSHALL')", 0)).rejects.toThrow(
      /The user executing the script can't run this command/,
    );
    const list = loadScript(new URL('../nodes/list.lua', import.meta.url), { onlyReads: true });
    expect(await list.run(as('api'), [keys.nodeLeases, keys.nodeReports], [])).toEqual([]);
  });

  it('let an operator look at everything and publish nothing', async () => {
    for (const { name, text } of built()) {
      const command = isChannel(name) ? ['PUBLISH', text, ''] : ['DEL', text];
      expect([name, await mayRun('operator', ...command)]).toEqual([name, false]);
    }
    for (const command of [['INFO'], ['SCAN', '0'], ['HGETALL', keys.nodeReports], ['CLIENT', 'LIST']])
      expect([command, await mayRun('operator', ...command)]).toEqual([command, true]);
    for (const channel of CHANNELS) expect(await mayRun('operator', 'SUBSCRIBE', channel)).toBe(false);
  });

  it('know every command of every script: what is missing belongs into deploy/redis/users.conf', async () => {
    const missing: string[] = [];
    let looked = 0;
    for await (const file of glob('**/*.lua', { cwd: SOURCES })) {
      const source = await readFile(join(SOURCES, file), 'utf8');
      for (const [, name = ''] of source.matchAll(/redis\.p?call\(\s*'(\w+)'/g)) {
        looked += 1;
        const flags = z.tuple([z.tuple([z.unknown(), z.number()]).rest(z.unknown())]);
        const [[, arity]] = flags.parse(await admin.call('COMMAND', 'INFO', name));
        const args = Array.from({ length: Math.abs(arity) - 1 }, () => keys.roomHead('/', 'project:42'));
        if (!(await mayRun('gateway', name, ...args))) missing.push(`${name} of ${file}`);
      }
    }
    expect(missing).toEqual([]);
    expect(looked).toBeGreaterThan(20);
  });
});
