import { once } from 'node:events';
import { createServer } from 'node:http';
import { nextEvent } from '@fanfare/testing';
import { type DefaultEventsMap, Server, type Socket as ServerSocket } from 'socket.io';
import { io as connectClient, type Socket } from 'socket.io-client';
import { type BusObserver, createRedisAdapter } from '../src/adapter/redis-adapter.ts';
import { connectRedis, type RedisLink } from '../src/redis.ts';

export interface TestServer extends AsyncDisposable {
  readonly io: Server;
  readonly link: RedisLink;
  /** How often the bus complained, by what. */
  readonly seen: { dropped: number; invalid: number };
  /** A stock client and its server side, in these rooms. */
  connect(rooms?: readonly string[]): Promise<{ client: Socket; socket: ServerSocket<DefaultEventsMap> }>;
}

/** A bare Socket.IO server on our adapter and a real Redis; no gateway around it. */
export async function startServer(redisUrl: string): Promise<TestServer> {
  await using stack = new AsyncDisposableStack();
  const seen = { dropped: 0, invalid: 0 };
  const observer: BusObserver = {
    publishDropped: () => {
      seen.dropped += 1;
    },
    invalidMessage: () => {
      seen.invalid += 1;
    },
  };
  const link = stack.use(connectRedis({ url: redisUrl, name: 'test', onChange: () => undefined }));
  await Promise.all([link.pub, link.sub].map((client) => client.status === 'ready' || once(client, 'ready')));
  const http = createServer();
  const io = stack.adopt(new Server(http, { adapter: createRedisAdapter(link, observer) }), (server) =>
    server.close(),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  // Answered on the connection that carries the subscriptions, so they stand once this returns.
  await link.sub.ping();
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const owned = stack.move();
  return {
    io,
    link,
    seen,
    connect: async (rooms = []) => {
      const connection = once(io, 'connection');
      const client = owned.adopt(
        connectClient(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true }),
        (socket) => void socket.disconnect(),
      );
      const [[socket]] = await Promise.all([connection, nextEvent(client, 'connect')]);
      await socket.join([...rooms]);
      return { client, socket };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
