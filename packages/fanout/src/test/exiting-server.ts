import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { fanout } from '../fanout.ts';

// Prints its port, and when a socket says so says goodbye and exits, in the same turn of the event loop.
const http = createServer();
const io = new Server(http, { adapter: fanout(Adapter) });
io.on('connection', (socket) => {
  socket.on('exit', () => {
    io.emit('bye');
    process.exit(0);
  });
});
http.listen(0, '127.0.0.1', () => {
  const address = http.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : address}\n`);
});
