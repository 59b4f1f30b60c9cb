import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, isPortFree, listenError } from './ports.ts';

test('a free port can be listened on and is then no longer free', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  await using server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(await isPortFree(port)).toBe(false);
});

test('the reason why a port cannot be listened on is told', async () => {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  expect(await listenError(port)).toBe('EADDRINUSE');
  expect(await listenError(port, '192.0.2.1')).toBe('EADDRNOTAVAIL');
});
