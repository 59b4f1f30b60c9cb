import { fileURLToPath } from 'node:url';
import { type Stack, startStack } from '@fanfare/local';
import { nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const HANDLERS = fileURLToPath(
  new URL('../../../../apps/gateway/test/fixtures/handshake.js', import.meta.url),
);

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 2, env: { FANFARE_HANDLERS: HANDLERS } });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const connect = (transport: 'websocket' | 'polling', extraHeaders: Record<string, string>) => {
  const socket = io(stack.url, {
    auth: { token: stack.token },
    transports: [transport],
    forceNew: true,
    reconnection: false,
    extraHeaders,
  });
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.disconnect() });
};

describe.each(['websocket', 'polling'] as const)('by %s behind nginx', (transport) => {
  it.each(['1.2.3.4', '1.2.3.4, 5.6.7.8', '127.0.0.1, 203.0.113.9', '::1', 'localhost'])(
    'a client that claims to be %s has the address that nginx sees (row 19)',
    async (fake) => {
      using socket = connect(transport, {
        'x-forwarded-for': fake,
        'x-real-ip': fake,
        forwarded: `for=${fake}`,
      });
      await nextEvent(socket, 'connect');
      const read: unknown = await socket.timeout(5000).emitWithAck('handshake:read');
      expect(read).toMatchObject({ address: '127.0.0.1' });
    },
  );

  it('a page of the public address may connect, and one of another origin may not', async () => {
    using own = connect(transport, { origin: stack.url });
    await nextEvent(own, 'connect');
    using foreign = connect(transport, {
      origin: 'https://evil.example',
      'x-forwarded-host': 'evil.example',
    });
    await nextEvent(foreign, 'connect_error');
  });
});
