import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { nextEvent } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken, startNode, type TestNode } from '../../test/start-node.ts';

const HANDLERS = fileURLToPath(new URL('../../test/fixtures/handshake.js', import.meta.url));
const GOOD = 'https://good.example';

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ FANFARE_CORS_ORIGINS: GOOD, FANFARE_HANDLERS: HANDLERS });
});
afterAll(() => node[Symbol.asyncDispose]());

/** The head of the answer to a WebSocket handshake as it stands on the wire. */
const upgrade = async (url: string, headers: Record<string, string>): Promise<string> => {
  const { host, hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  const lines = {
    host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const head = Object.entries(lines).map((pair) => `${pair.join(': ')}\r\n`);
  socket.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${head.join('')}\r\n`);
  const [answer] = await once(socket, 'data');
  if (String(answer).startsWith('HTTP/1.1 101')) socket.destroy();
  return String(answer) + (socket.destroyed ? '' : await text(socket));
};

const poll = (headers: Record<string, string>) =>
  fetch(`${node.url}/socket.io/?EIO=4&transport=polling`, { headers });

describe('an origin', () => {
  it.each([GOOD, undefined])('%s may connect, by websocket and by polling', async (origin) => {
    const headers = origin === undefined ? {} : { origin };
    expect(await upgrade(node.url, headers)).toMatch(/^HTTP\/1\.1 101 /);
    expect((await poll(headers)).status).toBe(200);
  });

  it.each([
    'https://evil.example',
    'http://good.example',
    'https://good.example:8443',
    'https://good.example.evil.example',
    'https://sub.good.example',
    'https://good.example/',
    'HTTPS://GOOD.EXAMPLE',
    'null',
    'file://',
    '*',
  ])('%s may not, and is told why', async (origin) => {
    const why = 'origin_not_allowed: Pages of this origin may not connect';
    const refused = await upgrade(node.url, { origin });
    expect(refused).toMatch(/^HTTP\/1\.1 403 /);
    expect(refused).toContain(why);
    const polled = await poll({ origin });
    expect(polled.status).toBe(403);
    expect(await polled.json()).toMatchObject({ message: expect.stringContaining(why) });
  });

  it('that is the very host which is asked may connect, whichever proxy ends its TLS', async () => {
    await using closed = await startNode();
    const { host } = new URL(closed.url);
    expect(await upgrade(closed.url, { origin: `http://${host}` })).toMatch(/^HTTP\/1\.1 101 /);
    const behindTls = { host: 'app.example', origin: 'https://app.example' };
    expect(await upgrade(closed.url, behindTls)).toMatch(/^HTTP\/1\.1 101 /);
    expect(await upgrade(closed.url, { ...behindTls, origin: GOOD })).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('of any kind may connect with *', async () => {
    await using open = await startNode({ FANFARE_CORS_ORIGINS: '*' });
    expect(await upgrade(open.url, { origin: 'https://evil.example' })).toMatch(/^HTTP\/1\.1 101 /);
  });
});

const readHandshake = async (target: TestNode, headers: Record<string, string>): Promise<unknown> => {
  const socket = target.client(await signToken(), { extraHeaders: headers, query: { page: 'board' } });
  await nextEvent(socket, 'connect');
  return socket.timeout(5000).emitWithAck('handshake:read');
};

const FAKES = ['1.2.3.4', '1.2.3.4, 5.6.7.8', '::1', 'localhost', '127.0.0.1, 10.0.0.1'];

describe('the handshake that handlers of a team read', () => {
  it('has the headers, the query, the auth payload and the address of the client (row 19)', async () => {
    expect(await readHandshake(node, { 'x-agent': 'kiosk' })).toEqual({
      address: '127.0.0.1',
      agent: 'kiosk',
      page: 'board',
      auth: ['token'],
    });
  });

  it.each(FAKES)('does not believe X-Forwarded-For %s of a client (row 19)', async (fake) => {
    expect(await readHandshake(node, { 'x-forwarded-for': fake })).toMatchObject({ address: '127.0.0.1' });
  });

  it('believes a trusted proxy, and what stands to the right of a stranger only (row 19)', async () => {
    await using behind = await startNode({
      FANFARE_HANDLERS: HANDLERS,
      FANFARE_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8',
    });
    const addressFor = (forwarded: string) => readHandshake(behind, { 'x-forwarded-for': forwarded });
    expect(await addressFor('203.0.113.9')).toMatchObject({ address: '203.0.113.9' });
    expect(await addressFor('6.6.6.6, 203.0.113.9, 10.1.2.3')).toMatchObject({ address: '203.0.113.9' });
    expect(await addressFor('2001:db8::7')).toMatchObject({ address: '2001:db8::7' });
    expect(await addressFor('not an address')).toMatchObject({ address: '127.0.0.1' });
  });
});
