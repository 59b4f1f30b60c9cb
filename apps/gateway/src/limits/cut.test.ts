import { createServer } from 'node:http';
import { listenOn } from '@fanfare/runtime';
import { eventually, nextEvent } from '@fanfare/testing';
import { Server } from 'socket.io';
import { Manager } from 'socket.io-client';
import { expect, it } from 'vitest';
import type { GatewayServer } from '../socket/server.ts';
import { type Connection, takeTurns, webSocketOf } from './cut.ts';

const MESSAGES = 20;

/** In which turns of the event loop a connection hears messages that a client sends in one go. */
const turnsOf = async (waits: boolean): Promise<Set<number>> => {
  await using stack = new AsyncDisposableStack();
  const http = createServer();
  const io: GatewayServer = stack.adopt(new Server(http), (server) => server.close());
  let turn = 0;
  let next = setImmediate(function count() {
    turn += 1;
    next = setImmediate(count);
  });
  stack.defer(() => clearImmediate(next));
  const heardIn: number[] = [];
  io.engine.on('connection', (connection: Connection) => {
    takeTurns(webSocketOf(connection), waits);
    connection.on('packet', ({ data }: { data?: unknown }) => {
      if (String(data).startsWith('2["n"')) heardIn.push(turn);
    });
  });
  const port = await listenOn(http, { host: '127.0.0.1', port: 0, setting: 'test' });
  const manager = stack.adopt(
    new Manager(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false }),
    (own) => void own.engine.close(),
  );
  const client = manager.socket('/');
  await nextEvent(client, 'connect');
  for (let n = 0; n < MESSAGES; n += 1) client.emit('n', n);
  await eventually(() => expect(heardIn).toHaveLength(MESSAGES));
  return new Set(heardIn);
};

it('each message of a connection that waits is heard in a turn of its own, however many were read at once', async () => {
  expect((await turnsOf(false)).size).toBeLessThan(MESSAGES / 2);
  expect((await turnsOf(true)).size).toBe(MESSAGES);
});
