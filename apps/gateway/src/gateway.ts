import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AdapterFactory,
  connectRedis,
  createLocalAdapter,
  createRedisAdapter,
  createWorkerAdapter,
  holdLease,
  probeBus,
  REPORT_REQUEST,
  type RedisLink,
  reportStatus,
  takeConnections,
} from '@fanfare/cluster';
import { fanout } from '@fanfare/fanout';
import type { NodeReport } from '@fanfare/protocol';
import {
  createLogger,
  createOpsServer,
  createRegistry,
  listenOn,
  metricsText,
  type Service,
} from '@fanfare/runtime';
import { AggregatorRegistry } from 'prom-client';
import type { GatewayConfig } from './config.ts';
import { createGatewayEvents, type GatewayEvents } from './events.ts';
import { createHttpApp } from './http/app.ts';
import { registerRooms } from './rooms/handlers.ts';
import { registerSignals } from './signals/handlers.ts';
import { guardNamespace } from './socket/guard.ts';
import { authenticate, createTokenVerifier } from './socket/handshake.ts';
import { createSocketServer, type GatewayNamespace, type GatewayServer } from './socket/server.ts';
import { installTeamHandlers } from './team/handlers.ts';

const VERSION = '0.1.0';

/** Longest wait for peers to confirm that their connection is closed, and for requests under way. */
const CLOSE_MS = 2000;

/** A gateway process: a whole node, or one worker of it when a primary forked it. */
export interface Gateway extends Service {
  /** Ports in use once `listen` has resolved; a worker has none of its own. */
  readonly ports: { http: number; ops: number };
}

export async function createGateway(config: GatewayConfig): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const isWorker = cluster.isWorker;
  const incarnation = randomBytes(8).toString('hex');
  const startedAt = Date.now();
  let draining = false;

  const log = createLogger({
    level: config.logLevel,
    bindings: { app: 'gateway', node: config.node, worker: config.worker },
  });
  for (const warning of config.warnings) log.warn({ warning }, 'unknown setting');
  const registry = createRegistry({ node: config.node, worker: config.worker });
  const events = createGatewayEvents(log, registry);

  const http = createServer(createHttpApp(config));
  const redis =
    config.redisUrl === undefined ? undefined : stack.use(connectBus(config.redisUrl, config, events));
  const io = createSocketServer(http, config, {
    adapter: adapterFor(redis, isWorker, { config, events }),
    events,
  });
  const close = closeOnce(io, Math.min(CLOSE_MS, config.shutdownMs / 2));
  stack.defer(close);
  const verify = createTokenVerifier(config.tokenSecret);
  for (const name of config.namespaces) openNamespace(io.of(name), { verify, events });
  if (config.handlers !== undefined) await installTeamHandlers(config.handlers, io);

  const report = createReporter({ config, incarnation, startedAt, events });
  const probe = redis && stack.use(probeBus(redis, incarnation));
  const lease = redis && stack.use(holdLease({ redis: redis.pub, report, onSuperseded: events.superseded }));
  io.on(REPORT_REQUEST, (answer: (report: NodeReport) => void) => answer(report()));

  const notReady = () => [
    ...(draining ? ['draining'] : []),
    ...(probe && !probe.healthy ? ['redis: publish and subscribe do not both work'] : []),
    ...(lease?.superseded ? ['another process took over this node id'] : []),
  ];
  const ops = isWorker
    ? undefined
    : stack.use(createOpsServer({ ...config.ops, notReady, metrics: () => metricsText(registry) }));

  const ports = { http: 0, ops: 0 };
  const owned = stack.move();
  return {
    ports,
    listen: async () => {
      if (isWorker) {
        AggregatorRegistry.setRegistries(registry);
        // Answers the primary when it gathers the metrics of its workers.
        new AggregatorRegistry();
        takeConnections(io, http);
        owned.use(reportStatus(notReady));
        log.info({ pid: process.pid }, 'worker up');
        return;
      }
      ports.http = await listenOn(http, { ...config.http, setting: 'FANFARE_PORT' });
      ports.ops = (await ops?.listen()) ?? 0;
      log.info({ port: ports.http, opsPort: ports.ops, pid: process.pid }, 'listening');
    },
    drain: async () => {
      draining = true;
      log.info('draining');
      // Closes every connection below Socket.IO: clients see a lost transport and come back by themselves.
      await close();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A peer that is gone confirms no close, and a slow one may never finish its request: neither may hold the process. */
const closeOnce = (io: GatewayServer, longestMs: number): (() => Promise<void>) => {
  let closed: Promise<void> | undefined;
  return () => {
    closed ??= Promise.race([io.close(), delay(longestMs, undefined, { ref: false })]);
    return closed;
  };
};

const connectBus = (url: string, config: GatewayConfig, events: GatewayEvents): RedisLink =>
  connectRedis({ url, name: `fanfare:${config.node}:${config.worker}`, onChange: events.redisChanged });

/** Redis where there is one, the primary's channel between workers without it, else this process is the cluster. */
const adapterFor = (
  redis: RedisLink | undefined,
  isWorker: boolean,
  { config, events }: { config: GatewayConfig; events: GatewayEvents },
): AdapterFactory => {
  const alone = isWorker ? createWorkerAdapter() : createLocalAdapter();
  const adapter = redis === undefined ? alone : createRedisAdapter(redis, events.bus);
  if (!config.fanout) return adapter;
  const fast = fanout(adapter);
  events.deliveriesFrom(() => fast.counters().fastDeliveries + fast.counters().stockDeliveries);
  return fast;
};

/** Everything that happens on a namespace: who gets in, what a socket may ask, what is counted. */
const openNamespace = (
  namespace: GatewayNamespace,
  deps: { verify: ReturnType<typeof createTokenVerifier>; events: GatewayEvents },
): void => {
  const { verify, events } = deps;
  authenticate(namespace, verify, events);
  guardNamespace(namespace, events);
  namespace.on('connection', (socket) => {
    const fields = { socket: socket.id, namespace: namespace.name, user: socket.data.user.id };
    events.connected({ ...fields, transport: socket.conn.transport.name });
    socket.on('disconnect', (reason) => events.disconnected({ ...fields, reason }));
    registerRooms(socket, events);
    registerSignals(socket, events);
  });
};

/** What this process says of itself; rates are means since the last report. */
const createReporter = (deps: {
  config: GatewayConfig;
  incarnation: string;
  startedAt: number;
  events: GatewayEvents;
}): (() => NodeReport) => {
  const { config, incarnation, startedAt, events } = deps;
  let last = { at: startedAt, received: 0, sent: 0 };
  let rates = { receivedPerSecond: 0, sentPerSecond: 0 };
  return () => {
    const { connections, received, sent } = events.totals;
    const now = Date.now();
    const seconds = (now - last.at) / 1000;
    if (seconds >= 1) {
      rates = {
        receivedPerSecond: (received - last.received) / seconds,
        sentPerSecond: (sent - last.sent) / seconds,
      };
      last = { at: now, received, sent };
    }
    return {
      node: config.node,
      worker: config.worker,
      incarnation,
      version: VERSION,
      startedAt,
      connections,
      ...rates,
    };
  };
};
