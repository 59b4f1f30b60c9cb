import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { ERRORS, problem } from '@fanfare/protocol';
import { eventually } from '@fanfare/testing';
import { describe, expect, test } from 'vitest';
import {
  ask,
  checkShape,
  NEW_SESSION,
  namesOf,
  pollOf,
  RESOLVED_SHAPES,
  type RunningShape,
  SHAPES,
  sidOf,
  startShape,
} from './nginx-shape.ts';

/** How many of `count` new sessions each node got. */
async function spread(shape: RunningShape, count: number): Promise<Map<string, number>> {
  const sessions = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { status, body } = await ask(shape, NEW_SESSION);
    expect(status).toBe(200);
    sessions.set(body, (sessions.get(body) ?? 0) + 1);
  }
  return sessions;
}

const expectProblem = (
  answer: Awaited<ReturnType<typeof ask>>,
  code: 'unavailable' | 'payload_too_large' | 'invalid_payload',
  detail?: string,
) => {
  const { message: title, retryable, status } = ERRORS[code];
  expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/problem+json' } });
  const type = `/docs/errors#${code}`;
  expect(problem.parse(JSON.parse(answer.body))).toEqual({ type, title, status, code, retryable, detail });
};

const seenBy = (shape: RunningShape) => shape.nodes.reduce((sum, node) => sum + node.requests.length, 0);

describe.each(SHAPES)('nginx.conf in its %s shape', (name) => {
  test('nginx accepts it as it is shipped (C4)', async () => {
    expect(await checkShape(name)).toMatchObject({
      code: 0,
      output: expect.stringContaining('is successful'),
    });
  });

  test('every request of a session reaches the node in its sid (row 17)', async () => {
    await using shape = await startShape(name);
    for (const node of namesOf(shape)) {
      for (let i = 0; i < 5; i++) {
        expect(await ask(shape, pollOf(sidOf(node)))).toMatchObject({ status: 200, body: node });
        const post = { method: 'POST', body: '3' };
        expect(await ask(shape, pollOf(sidOf(node)), post)).toMatchObject({ status: 200, body: node });
      }
    }
  });

  test('no sid reaches another host than a gateway', async () => {
    await using shape = await startShape(name);
    const [node = ''] = namesOf(shape);
    const sids = HOSTILE_NODES.map((hostile) => sidOf(hostile.replace('NODE', node)));
    for (const sid of [
      ...sids,
      node,
      `_${node}`,
      `short_${node}`,
      `${sidOf(node).slice(1)}`,
      '',
      '_',
      '..',
    ]) {
      const { status, body } = await ask(shape, pollOf(sid));
      expect({ sid, status, served: namesOf(shape).includes(body) }).toEqual({
        sid,
        status: 200,
        served: true,
      });
    }
    expect(shape.decoy.requests).toHaveLength(0);
    expect(shape.api.requests).toHaveLength(0);
    // Nothing but the pool's own name was ever looked up.
    expect(shape.namesAsked().length).toBeLessThanOrEqual(1);
  });

  test('the last of several sids counts, and its name alone, as for a gateway', async () => {
    await using shape = await startShape(name);
    const names = namesOf(shape);
    const [first = '', second = ''] = names.map(sidOf);
    for (const query of [
      `sid=${first}&sid=${second}`,
      `SID=${first}&sid=${second}&Sid=${first}`,
      `xsid=${first}&sid=${second}&sidx=${first}&si=d`,
      `sid=${first}&s%69d=${second}`,
      `sid=${second}&t=sid=${first}`,
    ]) {
      expect({ query, ...(await ask(shape, `/socket.io/?EIO=4&${query}`)) }).toMatchObject({
        query,
        body: names[1],
      });
    }
  });

  test('no session starts on a path that nginx does not take for one', async () => {
    await using shape = await startShape(name);
    for (const path of ['/socket.io/../', '/socket.io/%2e%2e/', '/socket.io/..//x/']) {
      expect((await ask(shape, `${path}?EIO=4&transport=polling`)).status).toBe(400);
    }
    expect(seenBy(shape)).toBe(0);
  });

  test('new sessions are spread evenly', async () => {
    await using shape = await startShape(name);
    // The resolver's rotation is random: thrice the sessions keep chance below one in a million.
    const sessions = await spread(shape, name === 'local' ? 300 : 900);
    expect([...sessions.keys()].sort()).toEqual(namesOf(shape).sort());
    expect(Math.max(...sessions.values()) / Math.min(...sessions.values())).toBeLessThanOrEqual(1.5);
  });

  test('new sessions of a dead node go to the living ones (C1)', async () => {
    await using shape = await startShape(name);
    const [dead, ...living] = shape.nodes;
    await dead?.stop();
    const sessions = await spread(shape, 60);
    expect([...sessions.keys()].sort()).toEqual(living.map((node) => node.name).sort());
  });

  test('a session whose node is dead is answered at once and by no other node', async () => {
    await using shape = await startShape(name);
    const [dead] = shape.nodes;
    await dead?.stop();
    const { status } = await ask(shape, pollOf(sidOf(dead?.name ?? '')));
    expect(status).toBe(502);
    expect(seenBy(shape)).toBe(0);
  });

  test('a handshake that a node drops is tried on the next, a POST never', async () => {
    await using shape = await startShape(name);
    for (const node of shape.nodes) node.answer = (incoming) => incoming.socket.destroy();
    expect((await ask(shape, NEW_SESSION)).status).toBe(502);
    expect(seenBy(shape)).toBe(3);
    // All three count as failed for a second in the local shape; then they are asked again.
    await eventually(async () => {
      const before = seenBy(shape);
      const { status } = await ask(shape, NEW_SESSION, { method: 'POST', body: '40' });
      expect({ status, sent: seenBy(shape) - before }).toEqual({ status: 502, sent: 1 });
    });
  });

  test('websockets pass, with a sid to its node (row 13)', async () => {
    await using shape = await startShape(name);
    for (const node of namesOf(shape)) {
      expect(await firstMessage(`${shape.url}/socket.io/?EIO=4&transport=websocket&sid=${sidOf(node)}`)).toBe(
        node,
      );
    }
    expect(namesOf(shape)).toContain(await firstMessage(`${shape.url}/socket.io/?EIO=4&transport=websocket`));
  });

  test('a session has its upstream connection to itself, and only a websocket is an upgrade (C3)', async () => {
    await using shape = await startShape(name);
    const [node] = shape.nodes;
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' };
    await ask(shape, pollOf(sidOf(node?.name ?? '')), { headers });
    await ask(shape, pollOf(sidOf(node?.name ?? '')));
    const seen = node?.requests ?? [];
    expect(seen.map(({ headers }) => [headers.connection, headers.upgrade])).toEqual([
      ['close', undefined],
      ['close', undefined],
    ]);
    expect(new Set(seen.map(({ socket }) => socket.remotePort ?? socket)).size).toBe(2);
  });

  test('what a client says of where it comes from is overwritten', async () => {
    await using shape = await startShape(name);
    const host = new URL(shape.url).host;
    const headers = {
      'x-forwarded-for': ['1.2.3.4', '5.6.7.8'].join(', '),
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      'x-real-ip': '1.2.3.4',
      forwarded: 'for=1.2.3.4',
      host,
    };
    await ask(shape, '/v1/publish', { method: 'POST', headers });
    await ask(shape, pollOf(sidOf(shape.nodes[0]?.name ?? '')), { headers });
    for (const [seen] of [shape.api.requests, shape.nodes[0]?.requests ?? []]) {
      expect(seen?.headers).toMatchObject({
        host,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': host,
        'x-real-ip': '127.0.0.1',
      });
      expect(seen?.headers.forwarded).toBeUndefined();
    }
  });

  test('no query of a session is ever written to a log', async () => {
    await using shape = await startShape(name);
    const [node] = shape.nodes;
    const path = `${pollOf(sidOf(node?.name ?? ''))}&token=canary-token`;
    const referer = `${shape.url}/?token=canary-token`;
    await ask(shape, path, { headers: { referer } });
    await node?.stop();
    await ask(shape, path, { headers: { referer } });
    await ask(shape, '/marker');
    const log = await eventually(async () => {
      const lines = await shape.accessLog();
      expect(lines).toContain('"path":"/marker"');
      return lines;
    });
    const sessions = log
      .split('\n')
      .filter((line) => line.includes('/socket.io/'))
      .map((line) => JSON.parse(line).status);
    expect(sessions).toEqual(['200', '502']);
    for (const secret of ['canary-token', 'AbCdEfGhIjKlMnOpQr']) {
      expect(log).not.toContain(secret);
      expect(shape.nginx.process.output).not.toContain(secret);
    }
  });

  test('publishing and its documentation go to the api, everything else to a gateway', async () => {
    await using shape = await startShape(name);
    for (const path of ['/v1/publish', '/v1/openapi.json', '/docs', '/docs/', '/docs/rapidoc.js']) {
      expect(await ask(shape, path)).toMatchObject({ status: 200, body: 'api' });
    }
    for (const path of ['/', '/api/health', '/docs2', '/v2/publish', '/v1/../', '/socket.io/socket.io.js']) {
      expect(namesOf(shape)).toContain((await ask(shape, path)).body);
    }
    expect(shape.nodes.flatMap((node) => node.requests).map((seen) => seen.url)).toContain('/v1/../');
  });

  test('an api that is gone is answered for in its own shape, with every method (C2, C4)', async () => {
    await using shape = await startShape(name);
    await shape.api.stop();
    for (const [method, path] of [
      ['POST', '/v1/publish'],
      ['GET', '/v1/cluster'],
      ['GET', '/docs'],
      ['GET', '/docs/errors'],
    ] as const) {
      const answer = await ask(shape, path, { method, ...(method === 'POST' && { body: '{}' }) });
      expect(answer.headers).toMatchObject({ 'retry-after': '1' });
      expectProblem(answer, 'unavailable');
    }
    expect((await ask(shape, '/api/health')).status).toBe(200);
  });

  test('a body that is too large is refused in the shape of the api, which never sees it (C4)', async () => {
    await using shape = await startShape(name);
    const headers = { 'content-length': String(2 * 1024 ** 2 + 1) };
    expectProblem(
      await ask(shape, '/v1/publish', { method: 'POST', headers, body: '{' }),
      'payload_too_large',
    );
    expect(shape.api.requests).toHaveLength(0);
  });

  test('a request that nginx cannot read is refused in the shape of the api', async () => {
    await using shape = await startShape(name);
    const detail = 'The address, a header or the body is too long or not well-formed';
    for (const [path, headers] of [
      ['/v1/rooms/%00', {}],
      ['/v1/rooms/%ZZ', {}],
      [`/v1/rooms/${'x'.repeat(9000)}`, {}],
      ['/v1/rooms', { 'x-long': 'x'.repeat(9000) }],
    ] as const) {
      expectProblem(await ask(shape, path, { headers }), 'invalid_payload', detail);
    }
    const { port } = new URL(shape.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST /v1/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n');
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toContain('application/problem+json');
    expect((await ask(shape, '/unreadable')).status).toBe(404);
    expect(shape.api.requests).toHaveLength(0);
  });

  test('what the api itself answers passes as it is (C4)', async () => {
    await using shape = await startShape(name);
    shape.api.answer = (_request, response) => response.writeHead(502, { 'retry-after': '9' }).end('mine');
    const answer = await ask(shape, '/v1/publish', { method: 'POST' });
    expect(answer).toMatchObject({ status: 502, body: 'mine', headers: { 'retry-after': '9' } });
  });

  test('polling streams through in both directions', async () => {
    await using shape = await startShape(name);
    const [node] = shape.nodes;
    const arrived = Promise.withResolvers<string>();
    if (node) {
      node.answer = async (incoming, response) => {
        response.write('first');
        for await (const chunk of incoming) arrived.resolve(String(chunk));
        response.end();
      };
    }
    const sent = request(shape.url, { path: pollOf(sidOf(node?.name ?? '')), method: 'POST' });
    sent.write('half a body');
    expect(await arrived.promise).toBe('half a body');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const [chunk] = await once(response, 'data');
    expect(String(chunk)).toBe('first');
    sent.end();
    await once(response.resume(), 'end');
  });
});

test.each(RESOLVED_SHAPES)(
  'a node added in the %s shape gets sessions without a reload (C1)',
  async (name) => {
    await using shape = await startShape(name);
    const worker = new Set((await spread(shape, 3)).keys()).size;
    expect(worker).toBeGreaterThan(0);
    const added = await shape.addNode(name === 'compose' ? 'feedfacecafe' : 'gateway-3');
    expect((await ask(shape, pollOf(sidOf(added.name)))).body).toBe(added.name);
    await eventually(async () => expect((await spread(shape, 10)).keys()).toContain(added.name), {
      timeoutMs: 20_000,
    });
  },
);

const HOSTILE_NODES = [
  'redis',
  'api',
  'gateway',
  'gateways',
  'default',
  'hostnames',
  'localhost',
  '127.0.0.1',
  '127.0.0.1:6379',
  '[::1]',
  '169.254.169.254',
  'NODE.evil',
  'NODE.evil:80',
  'NODE:6379',
  'NODE/',
  'NODE@evil',
  'NODE%00',
  'NODE%0d%0aHost:evil',
  'NODE_NODE',
  'NODE-evil',
  'evil-NODE',
  '%6e1',
  'NODE\\',
  '$api',
  '0a1b2c3d4e5',
  '0a1b2c3d4e5f6',
  'gateway-0.evil',
  'gateway-',
];

const firstMessage = async (url: string): Promise<string> => {
  const socket = new WebSocket(url);
  const [event] = await once(socket, 'message');
  socket.close();
  return String(event.data);
};
