import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, isPortFree } from './ports.ts';

test('a free port can be listened on and is then no longer free', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  await using server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(await isPortFree(port)).toBe(false);
});
