import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@fanfare/runtime';
import { describe, expect, it } from 'vitest';
import { loadApiConfig } from './config.ts';
import { digestOf } from './keys/key-list.ts';

const KEY = 'k3y-of-billing-0001';
const OTHER_KEY = 'k3y-of-webshop-0002';
const env = { REDIS_URL: 'redis://127.0.0.1:6379', FANFARE_API_KEYS: `billing:${KEY}` };

const problemsOf = (changes: Record<string, string | undefined>): readonly string[] => {
  try {
    loadApiConfig({ ...env, ...changes });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('the configuration of the api', () => {
  it('has the documented defaults', () => {
    expect(loadApiConfig(env)).toMatchObject({
      http: { host: '0.0.0.0', port: 3100 },
      ops: { host: '0.0.0.0', port: 9091 },
      namespaces: ['/'],
      shutdownMs: 20_000,
      logLevel: 'info',
      warnings: [],
    });
  });

  it('takes keys separated by commas or white space', () => {
    const { apiKeys } = loadApiConfig({
      ...env,
      FANFARE_API_KEYS: `billing:${KEY}, web-shop:${OTHER_KEY}\nops:a:key:with:colons`,
    });
    expect(apiKeys.map(({ name, digest }) => [name, digest.reveal()])).toEqual([
      ['billing', digestOf(KEY)],
      ['web-shop', digestOf(OTHER_KEY)],
      ['ops', digestOf('a:key:with:colons')],
    ]);
  });

  it('takes keys from a file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fanfare-api-'));
    await using _ = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
    const file = join(dir, 'keys');
    await writeFile(file, `billing:${KEY}\nwebshop:${OTHER_KEY}\n`);
    const { apiKeys } = loadApiConfig({
      ...env,
      FANFARE_API_KEYS: undefined,
      FANFARE_API_KEYS_FILE: file,
    });
    expect(apiKeys.map(({ name }) => name)).toEqual(['billing', 'webshop']);
  });

  it('never prints a key', () => {
    const printed = JSON.stringify(loadApiConfig(env));
    expect(printed).not.toContain(KEY);
    expect(printed).not.toContain(digestOf(KEY));
  });

  it('tells every problem in one message', () => {
    const problems = problemsOf({
      REDIS_URL: 'http://127.0.0.1',
      FANFARE_API_KEYS: `billing:short,billing:${KEY},shop:${KEY},${OTHER_KEY},:${OTHER_KEY},bad name:${OTHER_KEY}`,
      FANFARE_NAMESPACES: 'chat',
      FANFARE_PORT: '99999',
      FANFARE_SHUTDOWN_MS: 'soon',
    });
    expect(problems).toEqual([
      'FANFARE_PORT: expected a whole number from 0 to 65535, got "99999"',
      expect.stringMatching(/^REDIS_URL: expected redis:\/\/host:6379, .*got "http:\/\/127.0.0.1"$/),
      'FANFARE_API_KEYS: the key of "billing" has less than 16 characters',
      'FANFARE_API_KEYS: "billing" and "shop" have the same key',
      'FANFARE_API_KEYS: entry 4 does not look like name:key or name[scope+scope]:key, the name of A-Z a-z 0-9 _ -',
      'FANFARE_API_KEYS: entry 5 does not look like name:key or name[scope+scope]:key, the name of A-Z a-z 0-9 _ -',
      'FANFARE_API_KEYS: entry 6 does not look like name:key or name[scope+scope]:key, the name of A-Z a-z 0-9 _ -',
      expect.stringContaining('FANFARE_NAMESPACES: '),
      'FANFARE_SHUTDOWN_MS: expected a whole number from 100 to 3600000, got "soon"',
    ]);
    expect(problems.join()).not.toContain(KEY);
    expect(problems.join()).not.toContain(OTHER_KEY);
  });

  it.each([
    [undefined, 'FANFARE_API_KEYS is not set'],
    [' , ', 'FANFARE_API_KEYS: expected at least one name:key'],
    [
      'billing:kéy-of-billing-0001',
      'FANFARE_API_KEYS: the key of "billing" has characters that no header may have',
    ],
  ])('refuses the keys %j', (keys, problem) => {
    expect(problemsOf({ FANFARE_API_KEYS: keys })).toEqual([problem]);
  });

  it('needs two ports', () => {
    for (const ports of [{ FANFARE_PORT: '9091' }, { FANFARE_OPS_PORT: '3100' }]) {
      expect(problemsOf(ports)).toEqual([
        expect.stringMatching(/^FANFARE_PORT and FANFARE_OPS_PORT are both/),
      ]);
    }
  });

  it('needs Redis on its own, and goes without as a worker', () => {
    expect(problemsOf({ REDIS_URL: undefined })).toEqual([
      'REDIS_URL is not set: without it an api process on its own reaches no gateway',
    ]);
    expect(loadApiConfig({ ...env, REDIS_URL: undefined }, true).redis).toBeUndefined();
  });

  it('takes the database of an outbox, and never repeats its password', () => {
    const url = 'postgres://app:gehe1m@db/app';
    const { outbox } = loadApiConfig({ ...env, FANFARE_OUTBOX_DATABASE_URL: url });
    expect(outbox).toMatchObject({ pollMs: 1000, tries: 20, keepMs: 3_600_000 });
    expect(outbox?.url.reveal()).toBe(url);
    expect(problemsOf({ FANFARE_OUTBOX_DATABASE_URL: 'mysql://app:gehe1m@db/app' })).toEqual([
      'FANFARE_OUTBOX_DATABASE_URL: expected postgres://user:password@host:port/database',
    ]);
  });

  it('warns of a setting that it does not know', () => {
    const { warnings } = loadApiConfig({ ...env, FANFARE_API_KEY: 'x' });
    expect(warnings).toEqual([
      'FANFARE_API_KEY is not a setting of this process: did you mean FANFARE_API_KEYS?',
    ]);
  });
});
