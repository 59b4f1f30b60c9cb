import { nextEvent } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken, startNode, type TestNode } from '../../test/start-node.ts';

const HANDLERS = new URL('../../test/fixtures/sessions.js', import.meta.url).pathname;
const TRANSPORTS: { transports: ('polling' | 'websocket')[] }[] = [
  { transports: ['websocket'] },
  { transports: ['polling'] },
  { transports: ['polling', 'websocket'] },
];

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ FANFARE_HANDLERS: HANDLERS });
});
afterAll(() => node[Symbol.asyncDispose]());

/** The cookie that the answer to a new session sets. */
const cookieOf = async (): Promise<string> => {
  const response = await fetch(`${node.url}/socket.io/?EIO=4&transport=polling`);
  await response.text();
  return response.headers.getSetCookie().join('; ').split(';')[0] ?? '';
};

describe("a team's own code", () => {
  it.each(TRANSPORTS)(
    'reads headers, query, auth and address of the handshake over $transports (row 19)',
    async ({ transports }) => {
      const token = await signToken({ sub: 'alice' });
      const socket = node.client(undefined, {
        transports,
        auth: { token, tenant: 'seven' },
        query: { theme: 'dark' },
        extraHeaders: { 'x-tenant': 'seven', cookie: 'theme=dark' },
      });
      await nextEvent(socket, 'connect');
      expect(await socket.timeout(5000).emitWithAck('handshake')).toEqual({
        headers: expect.objectContaining({
          'x-tenant': 'seven',
          cookie: 'theme=dark',
          host: expect.any(String),
        }),
        query: expect.objectContaining({ theme: 'dark', EIO: '4', transport: transports[0] }),
        auth: { token, tenant: 'seven' },
        address: '127.0.0.1',
        url: expect.stringContaining('/socket.io/?theme=dark'),
        secure: false,
        xdomain: false,
        time: expect.any(String),
        issued: expect.any(Number),
      });
    },
  );

  it.each(TRANSPORTS)(
    'shares an Express session between connections over $transports (row 20)',
    async ({ transports }) => {
      const cookie = await cookieOf();
      expect(cookie).toMatch(/^visit=/);
      const visit = async (extraHeaders: Record<string, string>) => {
        const socket = await node.connect('alice', { transports, extraHeaders });
        return socket.timeout(5000).emitWithAck('visit');
      };
      const first = await visit({ cookie });
      expect(first).toEqual({ id: expect.any(String), visits: 1 });
      expect(await visit({ cookie })).toEqual({ ...first, visits: 2 });
    },
  );

  it('runs for the handshake, for the connection and for each packet, in the order of its registration, after the token is checked (row 20)', async () => {
    const socket = await node.connect('alice');
    expect(await socket.timeout(5000).emitWithAck('order')).toEqual([
      'engine 1',
      'engine 2 with a session',
      'io 1 of alice',
      'io 2',
      'connection',
      'socket order',
    ]);
  });

  it('refuses a connection with an answer of its own (row 20)', async () => {
    const socket = node.client(undefined, { auth: { token: await signToken(), banned: true } });
    const [error] = await nextEvent(socket, 'connect_error');
    expect(error).toMatchObject({ message: 'banned', data: { by: 'team' } });
  });
});
