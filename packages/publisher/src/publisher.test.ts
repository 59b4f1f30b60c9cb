import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createPublisher, PublishError, type PublisherOptions } from './index.ts';

interface Received {
  method: string | undefined;
  path: string | undefined;
  key: string | undefined;
  body: { id?: string; commands?: { id: string; room: string }[] };
}

type Answer = (received: Received, res: ServerResponse) => void;

const read = async (req: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of req.setEncoding('utf8')) text += chunk;
  return text;
};

/** A real HTTP server that answers as scripted, the last answer again and again. */
const startApi = async (...answers: Answer[]) => {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer(async (req, res) => {
    const text = await read(req);
    const { method, url: path, headers } = req;
    const one = { method, path, key: headers.authorization, body: text === '' ? {} : JSON.parse(text) };
    received.push(one);
    answers[Math.min(received.length, answers.length) - 1]?.(one, res);
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    received,
    connections: () => connections,
    publisher: (options: Partial<PublisherOptions> = {}) =>
      createPublisher({ url, apiKey: 'a key of the tests', ...options }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

const at = (room: string, offset: number | null = 1) => ({ room, epoch: 'e1', offset, duplicate: false });

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const published = json(200, { results: [at('project:1')] });
const refused = (status: number, code: string, retryable: boolean, more: object = {}): Answer =>
  json(status, { type: '/', title: `It is ${code}`, status, code, retryable, ...more });
const unavailable = refused(503, 'unavailable', true);
const text =
  (status: number, body: string): Answer =>
  (_, res) =>
    void res.writeHead(status).end(body);
const cut: Answer = (_, res) => void res.destroy();
const hang: Answer = () => undefined;

const EVENT = { room: 'project:1', event: 'task:created', data: { id: 7 } };

const failureOf = async (call: Promise<unknown>): Promise<PublishError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof PublishError) return error;
  throw new Error('It did not fail with a PublishError', { cause: error });
};

describe('publishing an event', () => {
  it('sends what it is given with the key and an id, and resolves with its position', async () => {
    await using api = await startApi(published);
    const { publish } = api.publisher({ namespace: '/chat' });
    expect(await publish({ ...EVENT, except: ['alice'] })).toEqual(at('project:1'));
    expect(api.received).toEqual([
      {
        method: 'POST',
        path: '/v1/publish',
        key: 'Bearer a key of the tests',
        body: {
          ...EVENT,
          except: ['alice'],
          namespace: '/chat',
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
      },
    ]);
  });

  it('to several rooms resolves with the position in each', async () => {
    const results = [at('project:1'), at('team:1', 5)];
    await using api = await startApi(json(200, { results }));
    const { room: _, ...event } = EVENT;
    expect(await api.publisher().publish({ ...event, rooms: ['project:1', 'team:1'] })).toEqual(results);
  });

  it("to a user resolves with the position in that user's inbox", async () => {
    await using api = await startApi(json(200, { results: [at('inbox:me', 3)] }));
    const { room: _, ...event } = EVENT;
    expect(await api.publisher().publish({ ...event, user: 'a/b', id: 'x' })).toEqual(at('inbox:me', 3));
    expect(api.received[0]).toMatchObject({
      path: '/v1/publish',
      body: { ...event, user: 'a/b', id: 'x' },
    });
  });

  it.each<[string, Answer]>([
    ['503 of the api', unavailable],
    ['500 of a proxy', text(500, '<html>')],
    ['502 of a proxy', text(502, '')],
    ['429', refused(429, 'rate_limited', true)],
    ['429 of a proxy', text(429, 'slow down')],
    ['a cut connection', cut],
    [
      'half an answer',
      (_, res) => void res.writeHead(200, { 'content-length': 99 }).write('{"res', () => res.destroy()),
    ],
  ])('is tried again after %s, with the same id', async (_, answer) => {
    await using api = await startApi(answer, answer, published);
    expect(await api.publisher().publish(EVENT)).toEqual(at('project:1'));
    expect(api.received).toHaveLength(3);
    expect(new Set(api.received.map(({ body }) => body.id)).size).toBe(1);
  });

  it('is tried again when a try gets no answer', async () => {
    await using api = await startApi(hang, published);
    await api.publisher({ tryTimeoutMs: 100 }).publish({ ...EVENT, id: 'order-1' });
    expect(api.received.map(({ body }) => body.id)).toEqual(['order-1', 'order-1']);
  });

  it.each<[string, Answer, object]>([
    ['a bad request', refused(400, 'invalid_payload', false), { code: 'invalid_payload', status: 400 }],
    ['a wrong key', refused(401, 'api_key_invalid', false), { code: 'api_key_invalid', status: 401 }],
    [
      'what the api says is its own fault',
      refused(500, 'internal', false),
      { code: 'internal', status: 500 },
    ],
    ['an address that is none', text(404, 'nothing here'), { code: 'not_found', status: 404 }],
    ['another server', text(200, '<html>'), { code: 'internal', status: 200 }],
    ['a redirect', (_, res) => void res.writeHead(301, { location: '/' }).end(), { status: 301 }],
  ])('is not tried again after %s', async (_, answer, expected) => {
    await using api = await startApi(answer);
    const error = await failureOf(api.publisher().publish(EVENT));
    expect(error).toMatchObject({ ...expected, retryable: false });
    expect(api.received).toHaveLength(1);
  });

  it('tells why it gave up, and with which id it may be tried again', async () => {
    const results = [
      at('project:1'),
      { room: 'team:1', error: { code: 'unavailable', message: 'x', retryable: true } },
    ];
    await using api = await startApi(refused(503, 'unavailable', true, { detail: 'Not all rooms', results }));
    const error = await failureOf(api.publisher({ timeoutMs: 400 }).publish({ ...EVENT, id: 'order-1' }));
    expect(error).toMatchObject({
      code: 'unavailable',
      status: 503,
      retryable: true,
      results,
      ids: ['order-1'],
    });
    expect(error.message).toBe('Not all rooms');
    expect(api.received.length).toBeGreaterThan(1);
  });

  it('gives up in time where nothing listens', async () => {
    const { publish } = createPublisher({ url: 'http://127.0.0.1:9', apiKey: 'x', timeoutMs: 300 });
    const startedAt = performance.now();
    const error = await failureOf(publish(EVENT));
    expect(error).toMatchObject({ code: 'unavailable', retryable: true, status: undefined });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('waits as long as the api asks for', async () => {
    const busy = json(503, {}, { 'retry-after': '1' });
    await using api = await startApi(busy, published);
    const startedAt = performance.now();
    await api.publisher().publish(EVENT);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  it('is tried once when it is ephemeral: another try could double it', async () => {
    await using api = await startApi(unavailable);
    const error = await failureOf(api.publisher().publish({ ...EVENT, ephemeral: true }));
    expect(error.code).toBe('unavailable');
    expect(api.received).toHaveLength(1);
  });

  it.each(['while it waits for an answer', 'between two tries'])(
    'ends %s when the caller says so',
    async (when) => {
      await using api = await startApi(when.startsWith('while') ? hang : unavailable);
      const stop = new AbortController();
      const publishing = api.publisher().publish(EVENT, { signal: stop.signal });
      const reason = new Error('enough');
      setTimeout(() => stop.abort(reason), 50);
      await expect(publishing).rejects.toBe(reason);
      await expect(api.publisher().publish(EVENT, { signal: stop.signal })).rejects.toBe(reason);
    },
  );

  it('what cannot be JSON is not sent', async () => {
    await using api = await startApi(published);
    const error = await failureOf(api.publisher().publish({ ...EVENT, data: 1n }));
    expect(error).toMatchObject({ code: 'invalid_payload', retryable: false });
    expect(api.received).toEqual([]);
  });

  it('uses its connections again for calls that follow each other, failed ones too', async () => {
    await using api = await startApi(published, unavailable, text(502, '<html>'.repeat(1000)), published);
    const { publish } = api.publisher();
    for (let i = 0; i < 20; i += 1) await publish(EVENT);
    expect(api.received).toHaveLength(22);
    // fetch lets go of a connection one turn after the answer is read, so two take turns (Node 24.21).
    expect(api.connections()).toBeLessThanOrEqual(2);
  });
});

describe('publishing many events', () => {
  const commands = (count: number, changes: object = {}) =>
    Array.from({ length: count }, (_, i) => ({ ...EVENT, data: i, id: `id-${i}`, ...changes }));
  const acceptAll: Answer = ({ body }, res) => {
    const results = (body.commands ?? []).map(({ room }) => ({ results: [at(room)] }));
    json(200, { results })({ method: '', path: '', key: '', body: {} }, res);
  };
  const idsOf = ({ body }: Received) => body.commands?.map(({ id }) => id);

  it('resolves with the rooms of each, in order', async () => {
    const results = [{ results: [at('project:1', 1)] }, { results: [at('project:1', 2), at('team:1')] }];
    await using api = await startApi(json(200, { results }));
    expect(await api.publisher().publishMany(commands(2))).toEqual(
      results.map(({ results: rooms }) => rooms),
    );
    expect(await api.publisher().publishMany([])).toEqual([]);
  });

  it('cuts what is more than one request may hold, and keeps the order', async () => {
    await using api = await startApi(acceptAll);
    const large = { data: 'x'.repeat(60_000) };
    const results = await api.publisher().publishMany([...commands(2300), ...commands(30, large)]);
    expect(results).toHaveLength(2330);
    expect(api.received.map(({ body }) => body.commands?.length)).toEqual([1000, 1000, 316, 14]);
    expect(idsOf(api.received[1] ?? { method: '', path: '', key: '', body: {} })?.[0]).toBe('id-1000');
  });

  it('sends again only what was not taken', async () => {
    const error = { code: 'unavailable', message: 'x', retryable: true };
    const results = [{ results: [at('project:1')] }, { results: [{ room: 'project:1', error }] }, { error }];
    await using api = await startApi(refused(503, 'unavailable', true, { results }), acceptAll);
    expect(await api.publisher().publishMany(commands(3))).toEqual(Array(3).fill([at('project:1')]));
    expect(api.received.map(idsOf)).toEqual([
      ['id-0', 'id-1', 'id-2'],
      ['id-1', 'id-2'],
    ]);
  });

  it('tells what became of each when some are refused', async () => {
    const error = { code: 'invalid_payload', message: '"room": no', retryable: false };
    const results = [{ results: [at('project:1')] }, { error }];
    await using api = await startApi(refused(400, 'invalid_payload', false, { results }));
    const failure = await failureOf(api.publisher().publishMany(commands(2)));
    expect(failure).toMatchObject({ code: 'invalid_payload', retryable: false, status: 400, results });
    expect(failure.message).toBe('1 of 2 events were not published: "room": no');
    expect(failure.ids).toEqual(['id-0', 'id-1']);
  });

  it('sends nothing that follows what it gave up', async () => {
    await using api = await startApi(unavailable);
    const failure = await failureOf(api.publisher({ timeoutMs: 400 }).publishMany(commands(2001)));
    expect(failure).toMatchObject({ code: 'unavailable', retryable: true });
    expect(new Set(api.received.map((one) => idsOf(one)?.[0]))).toEqual(new Set(['id-0']));
    expect(failure.results).toHaveLength(2001);
    expect(failure.results?.[1000]).toMatchObject({
      error: { code: 'unavailable', message: expect.stringContaining('not sent'), retryable: true },
    });
  });

  it('sends everything again after a lost answer, apart from what is ephemeral', async () => {
    await using api = await startApi(cut, acceptAll);
    const all = [...commands(1), ...commands(1, { ephemeral: true })];
    const failure = await failureOf(api.publisher().publishMany(all));
    expect(api.received.map(idsOf)).toEqual([['id-0', 'id-0'], ['id-0']]);
    expect(failure.results).toMatchObject([
      { results: [at('project:1')] },
      { error: { code: 'unavailable' } },
    ]);
  });
});

describe('the history of a room', () => {
  it('is read from a position', async () => {
    const meta = { room: 'project:1', id: 'x', at: 1, epoch: 'e1', offset: 5 };
    const history = { epoch: 'e1', offset: 5, recovered: true, events: [{ event: 'e', data: 1, meta }] };
    await using api = await startApi(unavailable, json(200, history));
    const query = { since: { epoch: 'e1', offset: 4 }, limit: 10, direction: 'forward' } as const;
    expect(await api.publisher({ namespace: '/chat' }).history('project:1', query)).toEqual(history);
    expect(api.received.at(-1)).toMatchObject({
      method: 'GET',
      path: '/v1/rooms/project%3A1/history?since=4&epoch=e1&limit=10&direction=forward&namespace=%2Fchat',
    });
  });
});

it('a namespace that is given as undefined is that of the publisher', async () => {
  const history = { epoch: 'e1', offset: 5, recovered: true, events: [] };
  await using api = await startApi(published, json(200, history));
  const publisher = api.publisher({ namespace: '/chat' });
  // As plain JavaScript may.
  const options: object = { namespace: undefined };
  await publisher.publish({ ...EVENT, ...options });
  await publisher.history('project:1', options);
  expect(api.received[0]?.body).toMatchObject({ namespace: '/chat' });
  expect(api.received[1]?.path).toContain('namespace=%2Fchat');
});

it('an url that is none is found out at once', () => {
  expect(() => createPublisher({ url: 'rt.example.com', apiKey: 'x' })).toThrow('Invalid URL');
});
