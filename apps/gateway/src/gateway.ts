import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ProcessReport, REPORT_REQUEST, Standing } from '@fanfare/cluster';
import {
  createLogger,
  createOpsServer,
  createRegistry,
  listenOn,
  metricsText,
  registerReadiness,
  type Service,
} from '@fanfare/runtime';
import { connectCluster, joinCluster } from './cluster.ts';
import type { GatewayConfig } from './config.ts';
import { deliveryOf } from './delivery/delivery.ts';
import { createGatewayEvents } from './events.ts';
import { createHttpApp } from './http/app.ts';
import { createHttpServer } from './http/server.ts';
import { openIdentity } from './identity/identity.ts';
import { createLimits } from './limits/limits.ts';
import { watchConnections } from './limits/watch.ts';
import { closeMainNamespace, openNamespace } from './namespace.ts';
import { openPresenceStore } from './presence/open-store.ts';
import { openPresences } from './presence/presence.ts';
import { createReporter } from './report.ts';
import { openRooms } from './rooms/rooms.ts';
import { createAuthorize } from './session/authority.ts';
import { closeOnce, drainSessions } from './session/drain.ts';
import { createOrderTaker, takeOrders } from './session/orders.ts';
import { createSessions } from './session/sessions.ts';
import { createSocketServer, type GatewaySocket } from './socket/server.ts';
import { installTeamHandlers } from './team/handlers.ts';
import { countUsersOnline } from './users/online.ts';
import { serveAsWorker } from './worker.ts';

/** Longest wait for the orders that were given before the start, in ms. */
const ORDERS_MS = 1000;

/** A gateway process: a whole node, or one worker of it when a primary forked it. */
export interface Gateway extends Service {
  /** Ports in use once `listen` has resolved; a worker has none of its own. */
  readonly ports: { http: number; ops: number };
}

export async function createGateway(config: GatewayConfig): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const { node, worker, namespaces } = config;
  const { isWorker } = cluster;
  const incarnation = randomBytes(8).toString('hex');
  let draining = false;

  const log = createLogger({ level: config.logLevel, bindings: { app: 'gateway', node, worker } });
  for (const warning of config.warnings) log.warn({ warning }, 'unknown setting');
  const registry = createRegistry({ node, worker });
  const events = createGatewayEvents(log, registry);

  const redis = config.redis && stack.use(connectCluster(config.redis, config, events));
  const store = stack.use(openPresenceStore(redis, { ...config, incarnation, observe: events.presence }));
  const limits = createLimits(config.limits, events.limited);
  const { adapter, watch } = deliveryOf(redis?.adapter, isWorker, { config, events });
  const http = createHttpServer(config.engine, createHttpApp(config));
  const io = createSocketServer(http, config, { adapter, events, limits });
  const close = closeOnce(io, config.shutdownMs);
  stack.defer(close);
  watchConnections(io, limits);

  const identity = stack.use(openIdentity(config.identity, events.tokenKeys));
  const standing = redis?.orders.standing ?? new Standing();
  const authorize = createAuthorize(standing);
  const sessions = stack.use(createSessions(config.session, events));
  const rooms = new Map(namespaces.map((name) => [name, openRooms(io.of(name), redis?.log)]));
  const presences = stack.use(openPresences(io, store, { ...config, events: events.presence }));
  const taker = stack.use(
    createOrderTaker({
      namespaces: [...rooms].map(([name, own]) => ({ namespace: io.of(name), rooms: own })),
      standing,
      events,
    }),
  );
  takeOrders({ io, followed: redis?.orders, standing, taker, isWorker });
  events.ordersFrom(() => standing.size);

  if (!rooms.has('/')) closeMainNamespace(io);
  const hasTeam = config.handlers !== undefined;
  const shared = { identity, events, limits, sessions, standing, taker, authorize, hasTeam, watch };
  const edges = new Map(
    [...rooms].map(([name, own]) => [
      name,
      openNamespace(io.of(name), { ...shared, rooms: own, presence: presences.of(name) }),
    ]),
  );
  if (config.handlers !== undefined) await installTeamHandlers(config.handlers, io, { rooms, authorize });

  const online = countUsersOnline(namespaces.map((name) => io.of(name)));
  const report = createReporter({ config, incarnation, events, online });
  io.on(REPORT_REQUEST, (answer: (report: ProcessReport) => void) => answer(report()));
  const membership = redis && stack.use(joinCluster(redis, { incarnation, report, events }));
  const notReady = () => [...(draining ? ['draining'] : []), ...(membership?.notReady() ?? [])];
  registerReadiness(registry, notReady);
  const ops = isWorker
    ? undefined
    : stack.use(createOpsServer({ ...config.ops, notReady, metrics: () => metricsText(registry) }));

  const ports = { http: 0, ops: 0 };
  const owned = stack.move();
  return {
    ports,
    listen: async () => {
      // A token that was revoked before the start opens nothing from the first connection on; without Redis nobody knows.
      await Promise.race([redis?.orders.known, delay(ORDERS_MS, undefined, { ref: false })]);
      if (isWorker) {
        owned.use(serveAsWorker({ http, io, registry, notReady }));
        log.info({ pid: process.pid }, 'worker up');
        return;
      }
      ports.http = await listenOn(http, { ...config.http, setting: 'FANFARE_PORT' });
      ports.ops = (await ops?.listen()) ?? 0;
      log.info({ port: ports.http, opsPort: ports.ops, pid: process.pid }, 'listening');
    },
    drain: async () => {
      draining = true;
      const settled = async (socket: GatewaySocket) => edges.get(socket.nsp.name)?.settled(socket);
      log.info({ connections: events.totals.connections, ...config.drain }, 'draining');
      const { hurried, mostPerSecond } = await drainSessions(io, config, settled);
      if (hurried > 0)
        log.warn({ hurried }, 'no time left to close the rest one by one: raise FANFARE_SHUTDOWN_MS');
      await close();
      log.info({ mostPerSecond }, 'drained');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
