// Target: Socket.IO as its documentation sets it up, with the official Redis adapter and the gateway's settings.
// Usage: stock.ts REDIS_URL
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { argv } from 'node:process';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { answer } from './control.ts';
import registerBench from './handlers.ts';

const pub = new Redis(argv[2] ?? '');
const sub = pub.duplicate();
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(pub, sub, { publishOnSpecificResponseChannel: true, requestsTimeout: 1_000 }),
  maxHttpBufferSize: 100_000,
  connectTimeout: 8_000,
  cors: { origin: [], methods: ['GET', 'POST'] },
});
registerBench(io);
await Promise.all([pub.ping(), sub.ping()]);
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const { port } = http.address() as AddressInfo; // a TCP server's address is never a string
answer({ bench: 'ready', port });
