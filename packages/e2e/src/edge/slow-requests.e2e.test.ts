import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AppProcess, runApp } from '../cluster/app-process.ts';

let node: AppProcess;
beforeAll(async () => {
  node = await runApp('gateway', { FANFARE_WORKERS: '2', FANFARE_HTTP_HEADERS_TIMEOUT_MS: '500' });
});
afterAll(() => node?.[Symbol.asyncDispose]());

it.each([
  ['nothing', ''],
  ['half of a line', 'GET /socket.io/?EIO=4'],
  ['headers without an end', 'GET /api/health HTTP/1.1\r\nHost: a\r\n'],
])('a node with workers cuts off who sends %s', async (_what, beginning) => {
  const { port } = await node.listening();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  socket.write(beginning);
  await once(socket, 'close');
  expect(socket.destroyed).toBe(true);
});
