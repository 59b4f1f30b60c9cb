import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { PostgresServer } from './postgres-server.ts';

/** `S` is what a PostgreSQL answers, or `N`, to the request for TLS. */
const answers = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    const [reply] = await once(socket, 'data');
    return /^[SN]$/.test(String(reply));
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

test('a PostgreSQL starts without anything installed, and comes back on its port after a kill', async () => {
  await using server = await PostgresServer.start();
  expect(await answers(server.port)).toBe(true);

  server.kill();
  await server.process.exited;
  expect(await answers(server.port)).toBe(false);
  await server.restart();
  expect(await answers(server.port)).toBe(true);

  await server[Symbol.asyncDispose]();
  await expect(server.restart()).rejects.toThrow('This postgres was disposed of');
});
