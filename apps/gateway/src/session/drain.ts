import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayConfig, RESERVED_MS } from '../config.ts';
import type { GatewayNamespace, GatewayServer, GatewaySocket } from '../socket/server.ts';
import { tellClosing } from './closing.ts';

type Connection = GatewaySocket['conn'];

/** Time between two batches, in ms: short enough that the clients of a batch are few. */
const BATCH_MS = 50;
/** Most that is made up for after the process was held up, as a share of a second's connections. */
const CATCH_UP = 0.1;
/** Longest wait for answers under way, in ms. */
const SETTLE_MS = 1000;
/** Wait for connections that still have something to send, in ms. */
const FLUSH_MS = 2000;

/** Longest wait for peers to confirm that their connection is closed, and for requests under way, in ms. */
const CLOSE_MS = 2000;

/** How the end of the sessions went. */
interface Drained {
  /** Connections that no time was left for, and that were closed at once. */
  hurried: number;
  /** The most that were closed within a second. */
  mostPerSecond: number;
}

/** Ends the sessions of this process: after the time that a load balancer needs, and at the configured rate. */
export async function drainSessions(
  io: GatewayServer,
  config: Pick<GatewayConfig, 'drain' | 'workers' | 'shutdownMs' | 'namespaces'>,
  settled: (socket: GatewaySocket) => Promise<void>,
): Promise<Drained> {
  const { preStopMs, perSecond } = config.drain;
  await delay(preStopMs);
  refuseNewSessions(io);
  return closeGradually(
    config.namespaces.map((name) => io.of(name)),
    {
      perSecond: perSecond / config.workers,
      budgetMs: config.shutdownMs - preStopMs - RESERVED_MS,
      settled,
    },
  );
}

/** A peer that is gone confirms no close, and a slow one may never finish its request: neither may hold the process. */
export const closeOnce = (io: GatewayServer, shutdownMs: number): (() => Promise<void>) => {
  const longestMs = Math.min(CLOSE_MS, shutdownMs / 2);
  let closed: Promise<void> | undefined;
  return () => {
    closed ??= Promise.race([io.close(), delay(longestMs, undefined, { ref: false })]);
    return closed;
  };
};

/** Turns new sessions away while the running ones go on: a proxy in front tries another node at once. */
function refuseNewSessions(io: GatewayServer): void {
  io.engine.use((req: IncomingMessage, _res: unknown, next: () => void) => {
    const isRunning = new URL(req.url ?? '/', 'http://node').searchParams.has('sid');
    if (isRunning) next();
    else req.socket.destroy();
  });
}

/**
 * Closes all connections in random order at `perSecond`, each after `session:closing` and after what it has to send.
 * Clients see a lost transport and come back by themselves, so the rest of the cluster never gets more than that. What is
 * left when `budgetMs` is over is closed at once.
 */
async function closeGradually(
  namespaces: readonly GatewayNamespace[],
  options: { perSecond: number; budgetMs: number; settled: (socket: GatewaySocket) => Promise<void> },
): Promise<Drained> {
  const { connections, close, closed, closedAt, closeLateAtOnce } = departuresOf(namespaces, options.settled);
  const startedAt = performance.now();
  const most = Math.max(1, options.perSecond * CATCH_UP);
  let lastAt = startedAt;
  let allowed = 1;
  let done = 0;
  let hurried = 0;
  while (done < connections.length) {
    const now = performance.now();
    const isLate = now - startedAt >= options.budgetMs;
    allowed = Math.min(most, allowed + ((now - lastAt) / 1000) * options.perSecond);
    lastAt = now;
    const count = isLate ? connections.length - done : Math.floor(allowed);
    for (const connection of connections.slice(done, done + count)) void close(connection);
    if (isLate) hurried = count;
    allowed -= count;
    done += count;
    if (done < connections.length) await delay(BATCH_MS);
  }
  closeLateAtOnce();
  await Promise.race([Promise.all(closed), delay(FLUSH_MS, undefined, { ref: false })]);
  return { hurried, mostPerSecond: mostWithinSecond(closedAt) };
}

/** The connections of all sockets, in random order, and behind them those that ask for their first namespace later. */
const departuresOf = (
  namespaces: readonly GatewayNamespace[],
  settled: (socket: GatewaySocket) => Promise<void>,
) => {
  const sockets = socketsByConnection(namespaces);
  const connections = shuffle([...sockets.keys()]);
  const closing = new Set<Connection>();
  const closedAt: number[] = [];
  const closedOf = (connection: Connection) =>
    new Promise<void>((resolve) => {
      connection.once('close', () => {
        closedAt.push(performance.now());
        resolve();
      });
    });
  const closed = connections.map(closedOf);
  const tell = (socket: GatewaySocket) => tellClosing(socket, { reason: 'draining', reconnect: true });
  const close = async (connection: Connection): Promise<void> => {
    const own = sockets.get(connection) ?? [];
    closing.add(connection);
    for (const socket of own) tell(socket);
    // What a client has asked for and the cluster has taken is answered first.
    await Promise.race([Promise.all(own.map(settled)), delay(SETTLE_MS, undefined, { ref: false })]);
    connection.close();
  };
  let isOver = false;
  // Not refused: a stock client would not come back from that.
  const take = (socket: GatewaySocket): void => {
    const own = sockets.get(socket.conn);
    if (own !== undefined) own.push(socket);
    else {
      sockets.set(socket.conn, [socket]);
      connections.push(socket.conn);
      closed.push(closedOf(socket.conn));
    }
    if (closing.has(socket.conn)) tell(socket);
    else if (isOver) void close(socket.conn);
  };
  for (const namespace of namespaces) namespace.on('connection', take);
  const closeLateAtOnce = () => {
    isOver = true;
  };
  return { connections, close, closed, closedAt, closeLateAtOnce };
};

/** Of moments in order, in ms. */
const mostWithinSecond = (times: readonly number[]): number => {
  let [most, from] = [0, 0];
  for (const [to, at] of times.entries()) {
    while ((times[from] ?? at) <= at - 1000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
};

/** The sockets of every namespace, by the connection that carries them. */
const socketsByConnection = (namespaces: readonly GatewayNamespace[]): Map<Connection, GatewaySocket[]> => {
  const found = new Map<Connection, GatewaySocket[]>();
  for (const namespace of namespaces) {
    for (const socket of namespace.sockets.values()) {
      const own = found.get(socket.conn);
      if (own === undefined) found.set(socket.conn, [socket]);
      else own.push(socket);
    }
  }
  return found;
};

const shuffle = <T>(items: T[]): T[] => {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    const [a, b] = [items[i], items[j]];
    if (a !== undefined && b !== undefined) [items[i], items[j]] = [b, a];
  }
  return items;
};
