import { createServer } from 'node:http';
import { listenOn } from '@fanfare/runtime';
import { nextEvent } from '@fanfare/testing';
import { Server } from 'socket.io';
import { io as connectClient } from 'socket.io-client';
import { expect, it } from 'vitest';
import type { GatewayServer, GatewaySocket } from '../socket/server.ts';
import { openRooms } from './rooms.ts';

it('a socket that goes while its join is under way becomes no member', async () => {
  await using stack = new AsyncDisposableStack();
  const http = createServer();
  const io: GatewayServer = stack.adopt(new Server(http), (server) => server.close());
  const port = await listenOn(http, { host: '127.0.0.1', port: 0, setting: 'test' });
  const connected = new Promise<GatewaySocket>((resolve) => io.on('connection', resolve));
  const url = `http://127.0.0.1:${port}`;
  stack.adopt(connectClient(url, { transports: ['websocket'] }), (client) => void client.disconnect());
  const socket = await connected;
  const gone = nextEvent(socket, 'disconnect');

  const finish = await openRooms(io.of('/'), undefined).join(socket, 'project:1', { check: () => undefined });
  socket.disconnect();
  await gone;
  expect(finish).toThrow('The socket is gone');
  expect(io.of('/').adapter.rooms.has('project:1')).toBe(false);
});
