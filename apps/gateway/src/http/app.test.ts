import { createRequire } from 'node:module';
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
