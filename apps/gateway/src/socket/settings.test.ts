import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { nextEvent } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { startNode, type TestNode } from '../../test/start-node.ts';

const NEW_SESSION = '/socket.io/?EIO=4&transport=polling';

const open = async (node: TestNode): Promise<Record<string, unknown>> => {
  const text = await (await fetch(node.url + NEW_SESSION)).text();
  return JSON.parse(text.slice(1));
};

const portOf = ({ url }: TestNode): number => Number(new URL(url).port);

describe('a setting of the engine', () => {
  it('arrives where a client is told of it', async () => {
    await using node = await startNode({
      FANFARE_PING_INTERVAL_MS: '12345',
      FANFARE_PING_TIMEOUT_MS: '2345',
      FANFARE_MAX_MESSAGE_BYTES: '81234',
    });
    expect(await open(node)).toMatchObject({
      pingInterval: 12_345,
      pingTimeout: 2345,
      maxPayload: 81_234,
    });
  });

  it('has the defaults of docs/configuration.md', async () => {
    await using node = await startNode();
    expect(await open(node)).toMatchObject({
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 100_000,
    });
  });

  it('ends a connection that joins no namespace', async () => {
    await using node = await startNode({ FANFARE_CONNECT_TIMEOUT_MS: '100' });
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
  });

  it('ends an upgrade that is begun and not finished', async () => {
    await using node = await startNode({
      FANFARE_UPGRADE_TIMEOUT_MS: '100',
      FANFARE_CONNECT_TIMEOUT_MS: '60000',
    });
    const { sid } = await open(node);
    const socket = new WebSocket(
      `${node.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
    );
    await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
    await new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
  });

  it('refuses an event with more binary parts than may be', async () => {
    await using node = await startNode({ FANFARE_MAX_ATTACHMENTS: '2' });
    const alice = await node.connect('alice', { reconnection: false });
    const answer = await alice
      .timeout(5000)
      .emitWithAck('nobody-takes-this', [Buffer.from('a'), Buffer.from('b')]);
    expect(answer).toMatchObject({ error: { code: 'unknown_event' } });
    const gone = nextEvent(alice, 'disconnect');
    alice.emit(
      'nobody-takes-this',
      [1, 2, 3].map((n) => Buffer.from([n])),
    );
    await gone;
  });

  it.each([
    ['true', 'gzip'],
    ['false', null],
  ])('compresses polls when FANFARE_HTTP_COMPRESSION is %s: %s', async (value, encoding) => {
    await using node = await startNode({ FANFARE_HTTP_COMPRESSION: value });
    const { sid } = await open(node);
    const send = (body: string) => fetch(`${node.url}${NEW_SESSION}&sid=${sid}`, { method: 'POST', body });
    await send(`40/${'x'.repeat(3000)},`);
    const answer = await fetch(`${node.url}${NEW_SESSION}&sid=${sid}`);
    expect(await answer.text()).toContain('Invalid namespace');
    expect(answer.headers.get('content-encoding')).toBe(encoding);
  });

  it('never compresses websockets', async () => {
    await using node = await startNode();
    const upgrade = request(`${node.url}/socket.io/?EIO=4&transport=websocket`, {
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-extensions': 'permessage-deflate',
      },
    }).end();
    const [response, socket] = await once(upgrade, 'upgrade');
    socket.destroy();
    expect(response.headers).not.toHaveProperty('sec-websocket-extensions');
  });
});

describe('a setting of the HTTP server', () => {
  it.each([
    ['FANFARE_HTTP_HEADERS_TIMEOUT_MS', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['FANFARE_HTTP_REQUEST_TIMEOUT_MS', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx'],
  ])('%s cuts off who is slow', async (setting, beginning) => {
    await using node = await startNode({ FANFARE_HTTP_HEADERS_TIMEOUT_MS: '200', [setting]: '200' });
    const socket = connect(portOf(node), '127.0.0.1');
    socket.write(beginning);
    const answer = once(socket, 'data');
    const ended = once(socket, 'close');
    if (setting.includes('HEADERS')) expect(String(await answer)).toContain('408');
    await ended;
  });

  it('says how long an idle connection stays open', async () => {
    await using node = await startNode({ FANFARE_HTTP_KEEP_ALIVE_MS: '7000' });
    const response = await fetch(`${node.url}/api/health`);
    expect(response.headers.get('keep-alive')).toBe('timeout=7');
  });

  it('refuses headers that are too large', async () => {
    await using node = await startNode({ FANFARE_HTTP_MAX_HEADER_BYTES: '1024' });
    const headers = { 'x-large': 'x'.repeat(2000) };
    expect((await fetch(`${node.url}/api/health`, { headers })).status).toBe(431);
  });

  it('takes no more connections than may be', async () => {
    await using node = await startNode({ FANFARE_HTTP_MAX_CONNECTIONS: '1' });
    const first = connect(portOf(node), '127.0.0.1');
    await once(first, 'connect');
    const second = connect(portOf(node), '127.0.0.1');
    // The system has taken the connection before the node is asked.
    second.on('error', () => undefined);
    await once(second, 'close');
    first.destroy();
  });
});
