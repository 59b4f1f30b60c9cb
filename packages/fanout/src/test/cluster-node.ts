import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createAdapter, setupPrimary } from '@socket.io/cluster-adapter';
import { Server } from 'socket.io';
import { fanout } from '../fanout.ts';

// Two workers of Node's cluster module with a decorated cluster adapter. Each worker prints its port, and says to
// the room `all` what a socket asks it to say.
const WORKERS = 2;

if (cluster.isPrimary) {
  setupPrimary();
  for (let index = 0; index < WORKERS; index++) cluster.fork();
} else {
  const factory = fanout(createAdapter());
  const http = createServer();
  const io = new Server(http, { adapter: factory });
  io.on('connection', (socket) => {
    socket.join('all');
    socket.on('say', (text: string) => io.to('all').emit('said', text));
    socket.on('say to others', (text: string) => socket.to('all').emit('said', text));
    socket.on('count', (answer: (counts: object) => void) => answer(factory.counters()));
  });
  http.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
    const address = http.address();
    process.stdout.write(`port ${typeof address === 'object' ? address?.port : address}\n`);
  });
}
