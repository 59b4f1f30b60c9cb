// Target: the limit where there is no C compiler. A bare loop writes the bytes of a tick to every TCP socket at once.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeServerFrame } from '../wire/frames.ts';
import { answer, serveControl } from './control.ts';
import { tickPayload } from './message.ts';

const sockets: Socket[] = [];
let frames: Buffer[] = [];

const server = createServer({ noDelay: true }, (socket) => {
  sockets.push(socket);
  socket.on('error', () => socket.destroy());
});

const flush = (): void => {
  const bytes = Buffer.concat(frames);
  frames = [];
  for (const socket of sockets) socket.write(bytes);
};

serveControl((seq) => {
  if (frames.length === 0) setImmediate(flush);
  frames.push(encodeServerFrame(tickPayload(seq)));
});

server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
answer({ bench: 'ready', port, name: 'bare net loop' });
