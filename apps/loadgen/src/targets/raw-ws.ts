// Target: WebSockets without Socket.IO. Each message is framed once and the same bytes are written to every socket.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { encodeServerFrame } from '../wire/frames.ts';
import { answer, serveControl } from './control.ts';
import { tickPayload } from './message.ts';

const sockets: Duplex[] = [];

const http = createServer();
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false });
http.on('upgrade', (request, socket, head) => {
  server.handleUpgrade(request, socket, head, () => sockets.push(socket));
});

// A connection's small room is its number modulo the rooms.
serveControl((seq, rooms) => {
  const frame = encodeServerFrame(tickPayload(seq));
  for (let room = 0; room < rooms; room++) {
    for (let n = room; n < sockets.length; n += rooms) sockets[n]?.write(frame);
  }
});

http.listen(0, '127.0.0.1');
await once(http, 'listening');
const { port } = http.address() as AddressInfo; // a TCP server's address is never a string
answer({ bench: 'ready', port });
