import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ERRORS, type ErrorCode, problem } from '@fanfare/protocol';
import { freePort, ManagedProcess } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, createApi } from './api.ts';
import { loadApiConfig } from './config.ts';

const KEY = 'k3y-of-billing-0001';

/** The api beside a Redis that is away: whatever is refused before it is refused all the same. */
const startApi = async (changes: Record<string, string | undefined> = {}): Promise<Api> => {
  const api = await createApi(
    loadApiConfig(
      {
        FANFARE_HOST: '127.0.0.1',
        FANFARE_PORT: '0',
        FANFARE_OPS_HOST: '127.0.0.1',
        FANFARE_OPS_PORT: '0',
        FANFARE_API_KEYS: `billing:${KEY}`,
        FANFARE_NAMESPACES: '/,/chat',
        REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
        LOG_LEVEL: 'silent',
        ...changes,
      },
      true,
    ),
  );
  await api.listen();
  return api;
};

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const url = (path: string) => `http://127.0.0.1:${api.ports.http}${path}`;
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
const event = { room: 'project:42', event: 'task:created', data: { id: 7 } };
const publish = (body: unknown, changes: RequestInit = {}): RequestInit => ({
  method: 'POST',
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  ...changes,
});

/** Small enough to be read, and too deep for any function that recurses. */
const TOO_DEEP = `{"room":"project:42","event":"task:created","data":${'['.repeat(40_000)}${']'.repeat(40_000)}}`;

interface Row {
  request: [path: string, init?: RequestInit];
  code: ErrorCode;
  detail?: string;
}

const refusals: Record<string, Row> = {
  'an unknown route': { request: ['/v1/room'], code: 'not_found' },
  'a path that cannot be decoded': { request: ['/docs/%ff%00'], code: 'not_found' },
  'a wrong method': {
    request: ['/v1/publish'],
    code: 'not_found',
    detail: '/v1/publish takes POST, not GET',
  },
  'another wrong method': {
    request: ['/v1/cluster', { method: 'DELETE', headers }],
    code: 'not_found',
    detail: '/v1/cluster takes GET, not DELETE',
  },
  'a wrong method below a room': {
    request: ['/v1/rooms/project:42/history', { method: 'POST', headers }],
    code: 'not_found',
    detail: '/v1/rooms/project:42/history takes GET or DELETE, not POST',
  },
  'no key': { request: ['/v1/cluster'], code: 'api_key_invalid' },
  'no key, before the body is looked at': {
    request: ['/v1/publish', publish('{', { headers: { 'content-type': 'application/json' } })],
    code: 'api_key_invalid',
  },
  'a wrong key': {
    request: ['/v1/publish', publish(event, { headers: { ...headers, authorization: `Bearer ${KEY}x` } })],
    code: 'api_key_invalid',
  },
  'a body that is not JSON': { request: ['/v1/publish', publish('{"room":')], code: 'invalid_payload' },
  'a body of another type': {
    request: ['/v1/publish', publish(event, { headers: { ...headers, 'content-type': 'text/plain' } })],
    code: 'invalid_payload',
    detail: 'Send a JSON body with "Content-Type: application/json"',
  },
  'no body': { request: ['/v1/publish', { method: 'POST', headers }], code: 'invalid_payload' },
  'a charset that nobody knows': {
    request: [
      '/v1/publish',
      publish(event, { headers: { ...headers, 'content-type': 'application/json; charset=x' } }),
    ],
    code: 'invalid_payload',
    detail: 'unsupported charset "X"',
  },
  'an encoding that is none': {
    request: ['/v1/publish', publish(event, { headers: { ...headers, 'content-encoding': 'gzip' } })],
    code: 'invalid_payload',
  },
  'a body that is no object': {
    request: ['/v1/publish', publish('7')],
    code: 'invalid_payload',
    detail: 'The body: Invalid input: expected object, received number',
  },
  'a body over 256 KB': {
    request: ['/v1/publish', publish({ ...event, data: 'x'.repeat(256 * 1024) })],
    code: 'payload_too_large',
  },
  'data over 64 KB': {
    request: ['/v1/publish', publish({ ...event, data: 'x'.repeat(65_536) })],
    code: 'payload_too_large',
    detail: '"data": more than 65536 bytes of JSON',
  },
  'data that is nested too deeply': {
    request: ['/v1/publish', publish(TOO_DEEP)],
    code: 'invalid_payload',
    detail: 'The body: nested deeper than 104 levels',
  },
  'no data': {
    request: ['/v1/publish', publish({ ...event, data: undefined })],
    code: 'invalid_payload',
    detail: '"data": missing: give null for none',
  },
  'a field that nobody knows': {
    request: ['/v1/publish', publish({ ...event, channel: 'x' })],
    code: 'invalid_payload',
    detail: 'The body: Unrecognized key: "channel"',
  },
  'a name that is no room': {
    request: ['/v1/publish', publish({ ...event, room: 'lobby' })],
    code: 'invalid_payload',
  },
  'a room and rooms': {
    request: ['/v1/publish', publish({ ...event, rooms: ['project:43'] })],
    code: 'invalid_payload',
    detail: 'The body: give one of room, rooms and user',
  },
  'neither room nor rooms': {
    request: ['/v1/publish', publish({ ...event, room: undefined })],
    code: 'invalid_payload',
    detail: 'The body: give one of room, rooms and user',
  },
  'more than 50 rooms': {
    request: [
      '/v1/publish',
      publish({ ...event, room: undefined, rooms: Array.from({ length: 51 }, (_, i) => `project:${i}`) }),
    ],
    code: 'invalid_payload',
  },
  'an event name of the protocol': {
    request: ['/v1/publish', publish({ ...event, event: 'disconnect' })],
    code: 'invalid_payload',
    detail: '"event": this event name belongs to the protocol',
  },
  'a namespace that is not configured': {
    request: ['/v1/publish', publish({ ...event, namespace: '/admin' })],
    code: 'not_found',
    detail: 'There is no namespace "/admin" in this cluster',
  },
  'an exception of more than 256 characters': {
    request: ['/v1/publish', publish({ ...event, except: ['x'.repeat(257)] })],
    code: 'invalid_payload',
  },
  'a batch of nothing': { request: ['/v1/batch', publish({ commands: [] })], code: 'invalid_payload' },
  'a batch over 1 MB': {
    request: ['/v1/batch', publish({ commands: ['x'.repeat(1024 * 1024)] })],
    code: 'payload_too_large',
  },
  'a batch whose commands are all bad': {
    request: ['/v1/batch', publish({ commands: [{ ...event, room: 'lobby' }] })],
    code: 'invalid_payload',
    detail: '1 of 1 commands failed: see results',
  },
  'a name in the path that is no room': {
    request: ['/v1/rooms/lobby/history', { headers }],
    code: 'invalid_payload',
    detail:
      '"room": a room name looks like "project:42": lower-case kind, a colon, up to three parts of A-Z a-z 0-9 _ -',
  },
  'a room that cannot be decoded': {
    request: ['/v1/rooms/project:%ff/history', { headers }],
    code: 'invalid_payload',
  },
  'a room below a namespace that is not configured': {
    request: ['/v1/rooms/project:42/history?namespace=/admin', { headers }],
    code: 'not_found',
    detail: 'There is no namespace "/admin" in this cluster',
  },
  'a limit that is too large': {
    request: ['/v1/rooms/project:42/history?limit=501', { headers }],
    code: 'invalid_payload',
    detail: '"limit": expected a whole number from 1 to 500',
  },
  'a limit that is no number': {
    request: ['/v1/rooms/project:42/history?limit=0x1', { headers }],
    code: 'invalid_payload',
  },
  'two limits': {
    request: ['/v1/rooms/project:42/history?limit=1&limit=2', { headers }],
    code: 'invalid_payload',
  },
  'an empty offset': {
    request: ['/v1/rooms/project:42/history?since=', { headers }],
    code: 'invalid_payload',
  },
  'a direction that is none': {
    request: ['/v1/rooms/project:42/history?direction=up', { headers }],
    code: 'invalid_payload',
  },
  'a query that nobody knows': {
    request: ['/v1/rooms/project:42/history?form=1', { headers }],
    code: 'invalid_payload',
    detail: 'The query: Unrecognized key: "form"',
  },
  'a cursor that is none': {
    request: ['/v1/rooms?cursor=x', { headers }],
    code: 'invalid_payload',
    detail: '"cursor": not one of this route',
  },
  'a history without a key': { request: ['/v1/rooms/project:42/history'], code: 'api_key_invalid' },
  'a publish while Redis is away': { request: ['/v1/publish', publish(event)], code: 'unavailable' },
  'a batch while Redis is away': {
    request: ['/v1/batch', publish({ commands: [event] })],
    code: 'unavailable',
  },
  'a history while Redis is away': {
    request: ['/v1/rooms/project:42/history', { headers }],
    code: 'unavailable',
  },
  'a deletion while Redis is away': {
    request: ['/v1/rooms/project:42/history', { method: 'DELETE', headers }],
    code: 'unavailable',
  },
  'a list of rooms while Redis is away': { request: ['/v1/rooms', { headers }], code: 'unavailable' },
  'a question while Redis is away': { request: ['/v1/cluster', { headers }], code: 'unavailable' },
};

describe('an api process', () => {
  it.each(Object.entries(refusals))('answers %s with a problem document', async (_name, row) => {
    const response = await fetch(url(row.request[0]), row.request[1]);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    const { status, message, retryable } = ERRORS[row.code];
    expect(response.status).toBe(status);
    const document = problem.parse(await response.json());
    expect(document).toMatchObject({
      type: `/docs/errors#${row.code}`,
      title: message,
      status,
      code: row.code,
      retryable,
      ...(row.detail !== undefined && { detail: row.detail }),
    });
  });

  it('says which methods a path takes', async () => {
    expect((await fetch(url('/v1/publish'))).headers.get('allow')).toBe('POST');
  });

  it('says how to authenticate and when to try again', async () => {
    const refused = await fetch(url('/v1/cluster'));
    expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="fanfare"');
    const unavailable = await fetch(url('/v1/publish'), publish(event));
    expect(unavailable.headers.get('retry-after')).toBe('1');
  });

  it('tells what became of each room and each command, though it is nothing', async () => {
    const refused = { code: 'unavailable', message: ERRORS.unavailable.message, retryable: true };
    const results = [{ room: 'project:42', error: refused }];
    const one = await fetch(url('/v1/publish'), publish(event));
    expect(problem.parse(await one.json()).results).toEqual(results);
    const ephemeral = await fetch(url('/v1/publish'), publish({ ...event, ephemeral: true }));
    expect(problem.parse(await ephemeral.json()).results).toEqual(results);
    const batch = await fetch(url('/v1/batch'), publish({ commands: [event, event] }));
    expect(problem.parse(await batch.json()).results).toEqual([{ results }, { results }]);
  });

  it('takes no property that changes a prototype, and refuses of a batch only the commands that are bad', async () => {
    const bad = [
      '"data":{"__proto__":{}}',
      '"data":{"constructor":{"prototype":{}}}',
      '"data":1,"__proto__":{}',
      `"data":1,"${'x'.repeat(2000)}":1`,
      `"data":${'['.repeat(9000)}${']'.repeat(9000)}`,
    ].map((rest) => `{"room":"project:42","event":"task:created",${rest}}`);
    const commands = [...bad, JSON.stringify(event)].join(',');
    const answer = await fetch(url('/v1/batch'), publish(`{"commands":[${commands}]}`));
    expect(problem.parse(await answer.json()).results).toMatchObject([
      { error: { code: 'invalid_payload', message: 'The command: a property "__proto__" is not taken' } },
      { error: { code: 'invalid_payload', message: 'The command: a property "constructor" is not taken' } },
      { error: { code: 'invalid_payload', message: 'The command: a property "__proto__" is not taken' } },
      { error: { code: 'payload_too_large' } },
      { error: { code: 'invalid_payload', message: 'The command: nested deeper than 104 levels' } },
      { results: [{ error: { code: 'unavailable' } }] },
    ]);
    for (const [path, body] of [
      ['/v1/batch', `{"commands":[${JSON.stringify(event)}],"__proto__":{}}`],
      ['/v1/publish', bad[0]],
    ] as const) {
      const refused = problem.parse(await (await fetch(url(path), publish(body))).json());
      expect(refused).toMatchObject({
        code: 'invalid_payload',
        detail: expect.stringContaining('__proto__'),
      });
      expect(refused.results).toBeUndefined();
    }
  });

  it('answers /api/health whatever Redis does', async () => {
    const response = await fetch(url('/api/health'));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
  });

  it('counts publishes by outcome', async () => {
    await using own = await startApi();
    const send = (init: RequestInit) => fetch(`http://127.0.0.1:${own.ports.http}/v1/publish`, init);
    await send(publish(event));
    await send(publish({ ...event, room: 'lobby' }));
    await send(publish(event, { headers: {} }));
    await send(publish({ ...event, ephemeral: true }));
    const commands = [event, { ...event, room: 'lobby' }];
    await fetch(`http://127.0.0.1:${own.ports.http}/v1/batch`, publish({ commands }));
    const metrics = await (await fetch(`http://127.0.0.1:${own.ports.ops}/metrics`)).text();
    for (const [outcome, count] of Object.entries({
      accepted: 0,
      unavailable: 3,
      invalid_payload: 2,
      api_key_invalid: 1,
    })) {
      expect(metrics).toContain(
        `fanfare_publish_total{outcome="${outcome}",app="api",worker="0"} ${count}\n`,
      );
    }
    expect(metrics).toContain('fanfare_publish_duration_seconds_count{app="api",worker="0"} 4\n');
    expect(metrics).toContain('fanfare_batch_duration_seconds_count{app="api",worker="0"} 1\n');
    expect(metrics).toContain('fanfare_bus_publish_dropped_total{app="api",worker="0"} 1\n');
    expect(metrics).toContain('fanfare_redis_up{app="api",worker="0"} 0\n');
    expect(metrics).toContain('process_cpu_seconds_total');
  });

  it('shows its reference and its error table without asking another host', async () => {
    const pages = await Promise.all(['/docs', '/docs/errors'].map((path) => fetch(url(path))));
    for (const response of pages) {
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('content-security-policy')).not.toContain('http');
      expect(await response.text()).not.toMatch(/https?:/);
    }
    const script = await fetch(url('/docs/rapidoc.js'));
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await script.text()).toContain('rapi-doc');
  });

  it('has a row of the error table at every address that a problem links to', async () => {
    const table = await (await fetch(url('/docs/errors'))).text();
    for (const code of Object.keys(ERRORS)) expect(table).toContain(`<tr id="${code}">`);
  });
});

/** The api of a machine that has no Redis, as a worker beside those of the gateway. */
describe('an api without Redis', () => {
  it('publishes everything as ephemeral, and has no past of any room', async () => {
    await using single = await startApi({ REDIS_URL: undefined });
    const ask = (path: string, init: RequestInit) =>
      fetch(`http://127.0.0.1:${single.ports.http}${path}`, init);
    const published = await ask('/v1/publish', publish({ ...event, ephemeral: false }));
    expect(published.status).toBe(200);
    const result = { room: 'project:42', epoch: '', offset: null, duplicate: false };
    expect(await published.json()).toEqual({ results: [result] });
    const batch = await ask('/v1/batch', publish({ commands: [event, event] }));
    expect(await batch.json()).toEqual({ results: [{ results: [result] }, { results: [result] }] });
    for (const [path, method] of [
      ['/v1/rooms/project:42/history', 'GET'],
      ['/v1/rooms/project:42/history', 'DELETE'],
      ['/v1/rooms', 'GET'],
    ] as const) {
      const refused = await ask(path, { method, headers });
      expect(problem.parse(await refused.json())).toMatchObject({
        code: 'not_found',
        detail: 'This machine runs without Redis: no room has a log',
      });
    }
  });
});

describe('the program', () => {
  it('ends with 78 and every problem of its configuration', async () => {
    await using api = await ManagedProcess.start({
      command: execPath,
      args: ['--conditions=source', fileURLToPath(new URL('main.ts', import.meta.url))],
      env: { FANFARE_API_KEYS: 'billing:short', FANFARE_PORT: 'x', REDIS_URL: undefined },
    });
    expect(await api.exited).toEqual({ code: 78, signal: null });
    for (const name of ['FANFARE_API_KEYS', 'FANFARE_PORT', 'REDIS_URL']) expect(api.output).toContain(name);
  });
});
