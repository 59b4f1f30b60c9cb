import { once } from 'node:events';
import { createServer } from 'node:http';
import { eventually, nextEvent } from '@fanfare/testing';
import { type DefaultEventsMap, Server, type Socket as ServerSocket } from 'socket.io';
import { io as connectClient, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { createRoomAdapter, RoomAdapter } from '../src/adapter/room-adapter.ts';
import { Bus } from '../src/bus/bus.ts';
import type { BusObserver } from '../src/bus/observer.ts';
import { EventLog, type RetentionRule } from '../src/event-log/event-log.ts';
import { listNodes } from '../src/nodes/registry.ts';
import { connectRedis, countListeners, type RedisLink } from '../src/redis/link.ts';
import { redisUrl } from '../src/redis/url.ts';

export interface TestServer extends AsyncDisposable {
  readonly io: Server;
  readonly link: RedisLink;
  /** How often the bus complained, by what. */
  readonly seen: { dropped: number; missed: number; invalid: number; resets: string[]; missing: string[] };
  readonly adapter: RoomAdapter;
  readonly log: EventLog;
  /** A stock client and its server side, in these rooms. */
  connect(
    rooms?: readonly string[],
    user?: string,
  ): Promise<{ client: Socket; socket: ServerSocket<DefaultEventsMap> }>;
}

/** A bare Socket.IO server on our adapter and a real Redis; no gateway around it. */
export async function startServer(
  url: string,
  options: {
    node?: string;
    retention?: Partial<RetentionRule>;
    positionCheckMs?: number;
    socketRooms?: boolean;
  } = {},
): Promise<TestServer> {
  await using stack = new AsyncDisposableStack();
  const seen: TestServer['seen'] = { dropped: 0, missed: 0, invalid: 0, resets: [], missing: [] };
  const observer: BusObserver = {
    publishDropped: () => {
      seen.dropped += 1;
    },
    invalidMessage: () => {
      seen.invalid += 1;
    },
    missed: (count) => {
      seen.missed += count;
    },
    partialAnswer: (_query, missing) => {
      seen.missing.push(...missing);
    },
    roomReset: (reason) => {
      seen.resets.push(reason);
    },
  };
  const link = stack.use(
    connectRedis({ target: redisUrl.parse(url), name: 'test', onChange: () => undefined }),
  );
  await eventually(() => {
    if (!link.up) throw new Error('Redis is not connected');
  });
  const http = createServer();
  const bus = stack.use(new Bus(link, observer));
  const retention = { pattern: '**', count: 1000, bytes: 1_000_000, ageMs: 60_000, ...options.retention };
  const log = new EventLog(link, [retention]);
  const adapter = createRoomAdapter({
    bus,
    log,
    observer,
    node: options.node ?? 'test',
    livingNodes: async () => (await listNodes(link.pub)).map(({ node }) => node),
    countListeners: (channel) => countListeners(link.pub, channel),
    positionCheckMs: options.positionCheckMs ?? 30_000,
    socketRooms: options.socketRooms ?? true,
    userOf: (socket) => z.string().optional().parse(socket.handshake.auth.user),
  });
  const io = stack.adopt(new Server(http, { adapter }), (server) => server.close());
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  await bus.settled();
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const owned = stack.move();
  return {
    io,
    link,
    seen,
    log,
    adapter: requireRoomAdapter(io),
    connect: async (rooms = [], user) => {
      const client = owned.adopt(
        connectClient(`http://127.0.0.1:${port}`, {
          transports: ['websocket'],
          forceNew: true,
          auth: { user },
        }),
        (own) => void own.disconnect(),
      );
      await nextEvent(client, 'connect');
      const socket = io.of('/').sockets.get(client.id ?? '');
      if (socket === undefined) throw new Error('a connected client has a socket');
      await socket.join([...rooms]);
      return { client, socket };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const requireRoomAdapter = (io: Server): RoomAdapter => {
  const { adapter } = io.of('/');
  if (adapter instanceof RoomAdapter) return adapter;
  throw new TypeError('not on our adapter');
};
