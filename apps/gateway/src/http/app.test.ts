import { once } from 'node:events';
import { createServer, type RequestListener, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { problem } from '@fanfare/protocol';
import { freePort, nextEvent } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { signToken, startNode } from '../../test/start-node.ts';

const socketIoVersion: unknown = createRequire(import.meta.url)('socket.io/package.json').version;

const preflight = async (url: string, origin: string): Promise<Headers> => {
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  });
  return response.headers;
};

const startServer = async (listener: RequestListener) => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};

/** The answer to a request line that may name a host, as one to a proxy does. */
const askFor = async (url: string, target: string): Promise<string> => {
  const asked = request(url, { path: target }).end();
  const [answer] = await once(asked, 'response');
  return text(answer);
};

describe('the public port', () => {
  it('answers a health check and a socket handshake (row 1)', async () => {
    await using node = await startNode();
    expect(await (await fetch(`${node.url}/api/health`)).json()).toEqual({ status: 'ok' });
    expect((await node.connect('alice')).connected).toBe(true);
  });

  it('serves a page and the client library of its own version (row 2)', async () => {
    await using node = await startNode({ FANFARE_CONSOLE: 'true' });
    const page = await fetch(node.url);
    expect(page.headers.get('content-type')).toContain('text/html');
    const library = await fetch(`${node.url}/socket.io/socket.io.js`);
    expect(library.status).toBe(200);
    expect(await library.text()).toContain(`Socket.IO v${socketIoVersion}`);
  });

  it('has no page unless the configuration asks for one', async () => {
    await using node = await startNode();
    expect((await fetch(node.url)).status).toBe(404);
  });

  it('answers for an api that is away in the shape of its errors', async () => {
    await using node = await startNode({ FANFARE_API_URL: `http://127.0.0.1:${await freePort()}` });
    const response = await fetch(`${node.url}/v1/publish`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(problem.parse(await response.json())).toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('hands a request to the api alone, whatever host the request names', async () => {
    await using api = await startServer((req, res) => res.end(`api ${req.url}`));
    await using other = await startServer((req, res) => res.end(`other ${req.url}`));
    await using node = await startNode({ FANFARE_API_URL: api.url });
    const { host } = new URL(other.url);
    expect(await askFor(node.url, `http://${host}/v1/secret?a=1`)).toBe('api /v1/secret?a=1');
    expect(await askFor(node.url, `http://name:word@${host}/v1/secret`)).toBe('api /v1/secret');
    expect(await askFor(node.url, `/v1/rooms?next=http://${host}/`)).toBe(
      `api /v1/rooms?next=http://${host}/`,
    );
    expect(await askFor(node.url, '/docs')).toBe('api /docs');
    for (const target of [`//${host}/v1/secret`, `/${host}/v1/secret`]) {
      expect(await askFor(node.url, target)).not.toMatch(/^(other|api) /);
    }
  });

  it('ends the connection when the api dies in the middle of an answer', async () => {
    await using api = await startServer((_req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('half', () => res.destroy());
    });
    await using node = await startNode({ FANFARE_API_URL: api.url });
    const answer = await fetch(`${node.url}/v1/cluster`);
    await expect(answer.text()).rejects.toThrow();
  });

  it('carries 20 random characters and the node in every session id', async () => {
    await using node = await startNode({ FANFARE_NODE_ID: 'gateway-3' });
    const socket = await node.connect('alice');
    expect(socket.io.engine.id).toMatch(/^[A-Za-z0-9_-]{20}_gateway-3$/);
  });
});

describe('transports', () => {
  it.each([
    [['polling'], 'polling'],
    [['websocket'], 'websocket'],
  ])('a client of %j stays on it (row 13)', async (transports, name) => {
    await using node = await startNode();
    const socket = await node.connect('alice', { transports });
    expect(socket.io.engine.transport.name).toBe(name);
  });

  it('a default client starts with polling and ends on websocket (row 13)', async () => {
    await using node = await startNode();
    const socket = node.client(await signToken(), { transports: ['polling', 'websocket'] });
    const upgraded = new Promise<string>((resolve) => {
      socket.io.once('open', () => socket.io.engine.once('upgrade', (transport) => resolve(transport.name)));
    });
    await nextEvent(socket, 'connect');
    expect(await upgraded).toBe('websocket');
  });
});

describe('CORS (row 26)', () => {
  it('names only listed origins', async () => {
    await using node = await startNode({ FANFARE_CORS_ORIGINS: 'https://a.example, https://b.example' });
    for (const origin of ['https://a.example', 'https://b.example']) {
      const headers = await preflight(node.url, origin);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-methods')).toBe('GET,POST');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
    expect((await preflight(node.url, 'https://evil.example')).get('access-control-allow-origin')).toBeNull();
  });

  it('allows credentials when asked to', async () => {
    await using node = await startNode({
      FANFARE_CORS_ORIGINS: 'https://a.example',
      FANFARE_CORS_CREDENTIALS: 'true',
    });
    const headers = await preflight(node.url, 'https://a.example');
    expect(headers.get('access-control-allow-credentials')).toBe('true');
  });

  it('allows any origin with *, and none by default', async () => {
    await using open = await startNode({ FANFARE_CORS_ORIGINS: '*' });
    expect((await preflight(open.url, 'https://any.example')).get('access-control-allow-origin')).toBe('*');
    await using closed = await startNode();
    expect(
      (await preflight(closed.url, 'https://any.example')).get('access-control-allow-origin'),
    ).toBeNull();
  });
});
