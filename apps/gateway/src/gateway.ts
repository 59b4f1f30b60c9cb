import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AdapterFactory,
  Bus,
  connectRedis,
  countListeners,
  createRoomAdapter,
  EventLog,
  FollowedOrders,
  givenOrder,
  holdLease,
  listNodes,
  ORDER_REQUEST,
  Orders,
  type ProcessReport,
  probeBus,
  REPORT_REQUEST,
  type RedisTarget,
  reportStatus,
  Standing,
  takeConnections,
  tellRedisWarnings,
} from '@fanfare/cluster';
import { userRoom } from '@fanfare/protocol';
import {
  createLogger,
  createOpsServer,
  createRegistry,
  listenOn,
  metricsText,
  registerReadiness,
  type Service,
} from '@fanfare/runtime';
import { AggregatorRegistry } from 'prom-client';
import { type GatewayConfig, RESERVED_MS } from './config.ts';
import { deliveryOf } from './delivery/delivery.ts';
import { createGatewayEvents, type GatewayEvents } from './events.ts';
import { createHttpApp } from './http/app.ts';
import { createHttpServer } from './http/server.ts';
import { type Identity, openIdentity } from './identity/identity.ts';
import type { VerifyToken } from './identity/verifier.ts';
import { createLimits, type Limits, limitUsers } from './limits/limits.ts';
import { watchConnections } from './limits/watch.ts';
import { registerPresence } from './presence/handlers.ts';
import { openPresenceStore } from './presence/open-store.ts';
import { openPresence, type Presence } from './presence/presence.ts';
import { registerRooms } from './rooms/handlers.ts';
import { openRooms, type Rooms } from './rooms/rooms.ts';
import { type Authorize, createAuthorize, verifyFor } from './session/authority.ts';
import { closeGradually, refuseNewSessions } from './session/drain.ts';
import { registerSession } from './session/handlers.ts';
import { createOrderTaker, type OrderTaker } from './session/orders.ts';
import { createSessions, type Sessions } from './session/sessions.ts';
import { registerSignals } from './signals/handlers.ts';
import { createDispatch } from './socket/dispatch.ts';
import { guardAuth, guardNamespace } from './socket/guard.ts';
import { authenticate, expiredRefusal } from './socket/handshake.ts';
import { createEdge, type Edge } from './socket/on.ts';
import {
  createSocketServer,
  type GatewayNamespace,
  type GatewayServer,
  type GatewaySocket,
  userOf,
} from './socket/server.ts';
import { forgetHandshakes, slimSocket } from './socket/slim.ts';
import { installTeamHandlers } from './team/handlers.ts';
import { registerUsers } from './users/handlers.ts';
import { countUsersOnline, type UsersOnline } from './users/online.ts';
import { createTellUser } from './users/tell-user.ts';

const VERSION = '0.1.0';

/** Longest wait for the orders that were given before the start, in ms. */
const ORDERS_MS = 1000;

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

  const http = createHttpServer(config.engine, createHttpApp(config));
  const redis =
    config.redis === undefined ? undefined : stack.use(connectCluster(config.redis, config, events));
  const store = stack.use(openPresenceStore(redis, { ...config, incarnation, observe: events.presence }));
  const { adapter, watch } = deliveryOf(redis?.adapter, isWorker, { config, events });
  const limits = createLimits(config.limits, events.limited);
  const io = createSocketServer(http, config, { adapter, events, limits });
  watchConnections(io, limits);
  const close = closeOnce(io, Math.min(CLOSE_MS, config.shutdownMs / 2));
  stack.defer(close);
  const identity = stack.use(openIdentity(config.identity, events.tokenKeys));
  const standing = redis?.orders.standing ?? new Standing();
  const authorize = createAuthorize(standing);
  const rooms = new Map(config.namespaces.map((name) => [name, openRooms(io.of(name), redis?.log)]));
  const sessions = stack.use(createSessions(config.session, events));
  const presences = new Map(
    config.namespaces.map((name) => [
      name,
      config.presence &&
        stack.use(openPresence(io.of(name), store, { ...config.presence, told: events.presence.told })),
    ]),
  );
  events.presence.roomsFrom(() =>
    [...presences.values()].reduce((sum, presence) => sum + (presence?.rooms ?? 0), 0),
  );
  const taker = stack.use(
    createOrderTaker({
      namespaces: [...rooms].map(([name, own]) => ({ namespace: io.of(name), rooms: own })),
      standing,
      events,
    }),
  );
  takeOrders({ io, followed: redis?.orders, standing, taker });
  events.ordersFrom(() => standing.size);
  const hasTeam = config.handlers !== undefined;
  const edges = new Map(
    [...rooms].map(([name, own]) => [
      name,
      openNamespace(io.of(name), {
        identity,
        events,
        limits,
        rooms: own,
        presence: presences.get(name),
        sessions,
        standing,
        taker,
        authorize,
        hasTeam,
        watch,
      }),
    ]),
  );
  if (config.handlers !== undefined) await installTeamHandlers(config.handlers, io, { rooms, authorize });

  const online = countUsersOnline(config.namespaces.map((name) => io.of(name)));
  const report = createReporter({ config, incarnation, startedAt, events, online });
  const probe = redis && stack.use(probeBus({ ...redis, incarnation }));
  const lease =
    redis &&
    stack.use(
      holdLease({
        redis: redis.link.pub,
        report,
        onSuperseded: events.superseded,
        onEmptied: () => {
          events.redisEmptied();
          redis.bus.doubt();
        },
      }),
    );
  io.on(REPORT_REQUEST, (answer: (report: ProcessReport) => void) => answer(report()));

  const notReady = () => [
    ...(draining ? ['draining'] : []),
    ...(probe && !probe.healthy ? ['redis: publish and subscribe do not both work'] : []),
    ...(lease?.refused ? ['redis: takes no writes, it may be full'] : []),
    ...(lease?.superseded ? ['another process took over this node id'] : []),
  ];
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
        AggregatorRegistry.setRegistries(registry);
        // Answers the primary when it gathers the metrics of its workers.
        new AggregatorRegistry();
        // Node looks for slow requests on a server that listens; this one is handed its connections.
        http.emit('listening');
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
      const { preStopMs } = config.drain;
      const perSecond = config.drain.perSecond / config.workers;
      log.info({ connections: events.totals.connections, preStopMs, perSecond }, 'draining');
      await delay(preStopMs);
      refuseNewSessions(io);
      const budgetMs = config.shutdownMs - preStopMs - RESERVED_MS;
      const { hurried, mostPerSecond } = await closeGradually(
        config.namespaces.map((name) => io.of(name)),
        {
          perSecond,
          budgetMs,
          settled: async (socket) => edges.get(socket.nsp.name)?.settled(socket),
        },
      );
      if (hurried > 0)
        log.warn({ hurried }, 'no time left to close the rest one by one: raise FANFARE_SHUTDOWN_MS');
      await close();
      log.info({ mostPerSecond }, 'drained');
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

/** What a process needs of Redis: its connections, the bus between nodes, the rooms' logs and the adapter on top. */
const connectCluster = (target: RedisTarget, config: GatewayConfig, events: GatewayEvents) => {
  const stack = new AsyncDisposableStack();
  const link = stack.use(
    connectRedis({ target, name: `fanfare:${config.node}:${config.worker}`, onChange: events.redisChanged }),
  );
  tellRedisWarnings(link, events.redisWarned);
  const bus = stack.use(new Bus(link, events.bus));
  const log = new EventLog(link, config.retention);
  const orders = stack.use(new FollowedOrders({ orders: new Orders(link), bus }));
  const adapter: AdapterFactory = createRoomAdapter({
    bus,
    log,
    observer: events.bus,
    node: config.node,
    livingNodes: async () => (await listNodes(link.pub)).map(({ node }) => node),
    countListeners: (channel) => countListeners(link.pub, channel),
    socketRooms: config.socketRooms,
    userOf,
    mayTell: () => orders.inStep(),
    // The client of a Redis Cluster does not tell of every move of a subscription.
    ...(link.isSharded && { positionCheckMs: 1000 }),
  });
  return { link, bus, log, orders, adapter, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

/** Has orders carried out that come over Redis, or from the api among the workers of a machine that has none. */
const takeOrders = (deps: {
  io: GatewayServer;
  followed: FollowedOrders | undefined;
  standing: Standing;
  taker: OrderTaker;
}): void => {
  const { io, followed, standing, taker } = deps;
  followed?.follow(taker.carryOut);
  if (followed !== undefined) return;
  io.on(ORDER_REQUEST, (message: unknown, answer: () => void) => {
    const given = givenOrder.safeParse(message).data;
    if (given === undefined) return;
    standing.sweep();
    standing.apply(given);
    taker.carryOut([given]);
    answer();
  });
};

/** Everything that happens on a namespace: who gets in, what a socket may ask, what is counted. */
const openNamespace = (
  namespace: GatewayNamespace,
  deps: {
    identity: Identity;
    events: GatewayEvents;
    limits: Limits;
    rooms: Rooms;
    presence: Presence | undefined;
    sessions: Sessions;
    standing: Standing;
    taker: OrderTaker;
    authorize: Authorize;
    hasTeam: boolean;
    watch: (socket: GatewaySocket) => void;
  },
): Edge => {
  const { identity, events, limits, rooms, presence, sessions, standing, taker, authorize, hasTeam, watch } =
    deps;
  const edge = createEdge(events);
  guardAuth(namespace, events);
  const unrevoked = (verify: VerifyToken) => verifyFor(namespace.name, verify, standing);
  authenticate(namespace, unrevoked(identity.admit), events);
  limitUsers(namespace, { limits, events });
  if (hasTeam) guardNamespace(namespace, events);
  registerRooms({ rooms, edge, authorize, limits, presence });
  registerPresence({ edge, authorize, presence });
  registerSignals({ edge, authorize });
  registerSession({ edge, verify: unrevoked(identity.verify), sessions, standing });
  registerUsers({ edge, tellUser: createTellUser(namespace) });
  const forget = hasTeam ? undefined : forgetHandshakes();
  const dispatch = createDispatch({
    edge,
    events,
    limits,
    guard: hasTeam,
    refusalOf: expiredRefusal,
    onWaiting: watch,
  });
  const factsOf = (socket: GatewaySocket) => ({
    socket: socket.id,
    namespace: namespace.name,
    user: socket.data.user.id,
  });
  function onDisconnect(this: GatewaySocket, reason: string): void {
    sessions.end(this);
    events.disconnected({ ...factsOf(this), reason });
  }
  // One function for all sockets: an idle connection pays for what hangs on it.
  namespace.on('connection', (socket) => {
    events.connected({ ...factsOf(socket), transport: socket.conn.transport.name });
    socket.on('disconnect', onDisconnect);
    dispatch(socket);
    void socket.join(userRoom(socket.data.user.id));
    sessions.begin(socket);
    slimSocket(socket);
    forget?.(socket);
    taker.check(socket);
  });
  return edge;
};

/** What this process says of itself; rates are means since the last report. */
const createReporter = (deps: {
  config: GatewayConfig;
  incarnation: string;
  startedAt: number;
  events: GatewayEvents;
  online: UsersOnline;
}): (() => ProcessReport) => {
  const { config, incarnation, startedAt, events, online } = deps;
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
      users: online.count,
      online: `${online.sketch}`,
      ...rates,
    };
  };
};
