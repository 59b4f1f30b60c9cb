import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problem } from '@fanfare/protocol';
import { eventually, freePort } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { createApi } from '../api.ts';
import { loadApiConfig } from '../config.ts';

const KEY = 'k3y-of-project-only-1';
const READER = 'k3y-of-reader-only-12';

/** An api whose Redis is away: what a key allows ends in `unavailable`. */
const startApi = async (env: Record<string, string>) => {
  const config = loadApiConfig({
    FANFARE_HOST: '127.0.0.1',
    FANFARE_PORT: '0',
    FANFARE_OPS_HOST: '127.0.0.1',
    FANFARE_OPS_PORT: '0',
    REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    LOG_LEVEL: 'silent',
    ...env,
  });
  const api = await createApi(config);
  await api.listen();
  const ask = async (key: string, path: string, body?: unknown, method = body ? 'POST' : 'GET') => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await fetch(`http://127.0.0.1:${api.ports.http}${path}`, init);
    return { retryAfter: response.headers.get('retry-after'), ...problem.parse(await response.json()) };
  };
  const metrics = async () => (await fetch(`http://127.0.0.1:${api.ports.ops}/metrics`)).text();
  return { ask, metrics, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
};

const event = (room: string) => ({ room, event: 'task:created', data: {} });

describe('the keys of an api', () => {
  it('get as far as their scopes, are told which one is missing, and are counted by name', async () => {
    await using api = await startApi({
      FANFARE_API_KEYS: `project[publish:project:*]:${KEY},reader[read]:${READER}`,
    });
    const answers = [
      await api.ask(KEY, '/v1/publish', event('project:42')),
      await api.ask(KEY, '/v1/publish', event('team:7')),
      await api.ask(KEY, '/v1/publish', {
        ...event('x:1'),
        room: undefined,
        rooms: ['project:42', 'team:7'],
      }),
      await api.ask(KEY, '/v1/batch', { commands: [event('project:42'), event('team:7')] }),
      await api.ask(KEY, '/v1/cluster'),
      await api.ask(READER, '/v1/cluster'),
      await api.ask(READER, '/v1/rooms/project:42/history'),
      await api.ask(READER, '/v1/rooms/project:42/history', undefined, 'DELETE'),
    ];
    expect(answers.map(({ code }) => code)).toEqual([
      'unavailable',
      'forbidden',
      'forbidden',
      'unavailable',
      'forbidden',
      'unavailable',
      'unavailable',
      'forbidden',
    ]);
    expect(answers.map(({ detail }) => detail?.match(/lacks the scope "(.*)"/)?.[1])).toEqual([
      undefined,
      'publish:team:7',
      'publish:team:7',
      undefined,
      'read',
      undefined,
      undefined,
      'control:project:42',
    ]);
    expect(answers[3]?.results).toMatchObject([{ results: [{}] }, { error: { code: 'forbidden' } }]);
    const metrics = await api.metrics();
    for (const line of ['key="project",outcome="forbidden"', 'key="reader",outcome="unavailable"'])
      expect(metrics).toContain(`fanfare_api_requests_total{${line}`);
  });

  it('are told when to come back once they have used up their rate, each command of a batch counting', async () => {
    await using api = await startApi({
      FANFARE_API_KEYS: `project:${KEY},reader:${READER}`,
      FANFARE_API_KEY_PER_SECOND: '2',
    });
    const commands = Array.from({ length: 5 }, () => event('project:42'));
    // Larger than what is there, so that it is owed.
    expect(await api.ask(KEY, '/v1/batch', { commands })).toMatchObject({ code: 'unavailable' });
    const limited = await api.ask(KEY, '/v1/publish', event('project:42'));
    expect(limited).toMatchObject({ code: 'rate_limited', status: 429, retryable: true, retryAfter: '1' });
    expect(limited.retryAfterMs).toBeGreaterThan(500);
    expect(limited.retryAfterMs).toBeLessThanOrEqual(1000);
    expect(await api.ask(READER, '/v1/cluster')).toMatchObject({ code: 'unavailable' });
  });

  it('pay nothing for a batch that is refused, and are told when all of it may come', async () => {
    await using api = await startApi({ FANFARE_API_KEYS: `project:${KEY}`, FANFARE_API_KEY_PER_SECOND: '2' });
    const batch = { commands: Array.from({ length: 3 }, () => event('project:42')) };
    const publish = async () => (await api.ask(KEY, '/v1/publish', event('project:42'))).code;
    expect([await publish(), await publish(), await publish()]).toEqual(Array(3).fill('unavailable'));
    // One of four is left and a batch may owe what a second does not bring: half a second for the other.
    const refused = await api.ask(KEY, '/v1/batch', batch);
    expect(refused).toMatchObject({ code: 'rate_limited', retryable: true });
    expect(refused.retryAfterMs).toBeLessThanOrEqual(500);
    expect(await publish()).toBe('unavailable');
    // Nothing is left: a batch is told more than a single event.
    expect((await api.ask(KEY, '/v1/batch', batch)).retryAfterMs).toBeGreaterThan(500);
    expect(await api.ask(KEY, '/v1/batch', { commands: [] })).toMatchObject({ code: 'rate_limited' });
  });

  it('change with their file, without a restart', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fanfare-keys-'));
    await using _ = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
    const file = join(dir, 'keys');
    await writeFile(file, `billing:${KEY}`);
    await using api = await startApi({ FANFARE_API_KEYS_FILE: file });
    const codeWith = async (key: string) => (await api.ask(key, '/v1/cluster')).code;
    expect([await codeWith(KEY), await codeWith(READER)]).toEqual(['unavailable', 'api_key_invalid']);
    await writeFile(file, `billing:${READER}`);
    await eventually(async () => expect(await codeWith(READER)).toBe('unavailable'));
    expect(await codeWith(KEY)).toBe('api_key_invalid');
    await writeFile(file, 'billing');
    await writeFile(file, `billing:${KEY}, billing:${READER}`);
    await eventually(async () => expect(await codeWith(KEY)).toBe('unavailable'));
  });
});
