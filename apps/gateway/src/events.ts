import type { BusObserver, PresenceObserver } from '@fanfare/cluster';
import type { FanoutFactory } from '@fanfare/fanout';
import { type AppError, ERRORS } from '@fanfare/protocol';
import { createSummary, type Logger } from '@fanfare/runtime';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LimitOutcome } from './limits/limits.ts';
import { COUNT_LIMITS, type LimitName, RATE_LIMITS } from './limits/settings.ts';

/** Every business event of a gateway, reported to the log and to the metrics in one call. */
export type GatewayEvents = ReturnType<typeof createGatewayEvents>;

/** What tells of broadcasts and of what waits for slow sockets. */
export type Deliveries = Pick<FanoutFactory, 'counters' | 'waiting'>;

/** Names that stand as labels; any other event counts as `other`, so that no client can grow a metric. */
const LABELLED_EVENTS: ReadonlySet<string> = new Set([
  'room:join',
  'room:leave',
  'room:publish',
  'room:signal',
  'token:refresh',
  'user:send',
  'presence:list',
]);

/** Metric names follow the existing Socket.IO exporters, so that their dashboards work. */
export function createGatewayEvents(log: Logger, registry: Registry) {
  const registers = [registry];
  const connected = new Gauge({
    name: 'socket_io_connected',
    help: 'Sockets connected to this process',
    registers,
  });
  const connects = new Counter({
    name: 'socket_io_connect_total',
    help: 'Sockets that connected',
    registers,
  });
  const disconnects = new Counter({
    name: 'socket_io_disconnect_total',
    help: 'Sockets that disconnected, by reason',
    labelNames: ['reason'],
    registers,
  });
  const errors = new Counter({
    name: 'socket_io_errors_total',
    help: 'Failures told to clients, by code of the error table',
    labelNames: ['code'],
    registers,
  });
  const received = new Counter({
    name: 'socket_io_events_received_total',
    help: 'Events from clients',
    labelNames: ['event', 'namespace'],
    registers,
  });
  /** Where broadcasts are delivered, and counted for all connections together. */
  let deliveries: Deliveries | undefined;
  const countDeliveries = (): number => {
    if (deliveries === undefined) return 0;
    const { fastDeliveries, stockDeliveries } = deliveries.counters();
    return fastDeliveries + stockDeliveries;
  };
  const answers = { sent: 0 };
  new Counter({
    name: 'socket_io_events_sent_total',
    help: 'Events and answers to clients; with FANFARE_FANOUT on, broadcasts and answers of contract events',
    registers,
    collect() {
      this.reset();
      this.inc(answers.sent + countDeliveries());
    },
  });
  new Gauge({
    name: 'fanfare_pending_bytes',
    help: 'Bytes that wait for connections that do not take everything at once',
    registers,
    collect() {
      const { bytes, peakBytes } = deliveries?.waiting() ?? { bytes: 0, peakBytes: 0 };
      this.set(bytes);
      pendingPeak.set(peakBytes);
    },
  });
  const pendingPeak = new Gauge({
    name: 'fanfare_pending_bytes_peak',
    help: 'Most bytes that waited for one connection since the metrics were last read',
    registers,
  });
  new Counter({
    name: 'fanfare_slow_dropped_total',
    help: 'Ephemeral events that a connection did not get because others waited for it',
    registers,
    collect() {
      this.reset();
      this.inc(deliveries?.counters().dropped ?? 0);
    },
  });
  new Counter({
    name: 'fanfare_slow_conflated_total',
    help: 'Ephemeral events whose place a newer one with the same key took while they waited',
    registers,
    collect() {
      this.reset();
      this.inc(deliveries?.counters().conflated ?? 0);
    },
  });
  // Absent where there is no Redis by design, so that an alert on it does not fire there.
  let redisUp: Gauge | undefined;
  const dropped = new Counter({
    name: 'fanfare_bus_publish_dropped_total',
    help: 'Messages for other nodes that Redis did not take',
    registers,
  });
  const missed = new Counter({
    name: 'fanfare_bus_missed_total',
    help: 'Ephemeral messages of other processes that this one could not hear, as they say; rather too many than too few',
    registers,
  });
  const invalid = new Counter({
    name: 'fanfare_bus_invalid_messages_total',
    help: 'Messages on our Redis channels, and entries of rooms’ logs, that are none of ours and were ignored',
    registers,
  });
  const resets = new Counter({
    name: 'fanfare_room_resets_total',
    help: 'Rooms whose members on this process were told to start anew, by reason',
    labelNames: ['reason'],
    registers,
  });
  const expired = new Counter({
    name: 'fanfare_sessions_expired_total',
    help: 'Sockets that left all rooms because their token had expired',
    registers,
  });
  const refreshed = new Counter({
    name: 'fanfare_sessions_refreshed_total',
    help: 'Tokens that clients brought for a session under way',
    registers,
  });
  const closed = new Counter({
    name: 'fanfare_sessions_closed_total',
    help: 'Sockets that the gateway closed, by reason; a drain is not counted',
    labelNames: ['reason'],
    registers,
  });
  const ordered = new Counter({
    name: 'fanfare_orders_total',
    help: 'Orders of backends about users that this process has carried out: revocations, removals and the like',
    labelNames: ['kind'],
    registers,
  });
  /** How many revocations and removals are in force, where they are kept. */
  let countStanding = () => 0;
  new Gauge({
    name: 'fanfare_orders_in_force',
    help: 'Revocations and removals that this process holds against old tokens',
    registers,
    collect() {
      this.set(countStanding());
    },
  });
  const partial = new Counter({
    name: 'fanfare_cluster_partial_answers_total',
    help: 'Cluster queries answered without every node',
    labelNames: ['query'],
    registers,
  });
  const keysFailed = new Counter({
    name: 'fanfare_token_keys_failures_total',
    help: 'Fetches of FANFARE_TOKEN_JWKS_URL that brought no keys',
    registers,
  });
  const limited = new Counter({
    name: 'fanfare_limited_total',
    help: 'What clients asked for above a limit: refused, cut off, or let through by a dry run',
    labelNames: ['limit', 'outcome'],
    registers,
  });
  // A series that begins with its first event has no rate for it: an alert would miss that one.
  for (const code of Object.keys(ERRORS)) errors.inc({ code }, 0);
  for (const reason of ['retention', 'lost', 'epoch']) resets.inc({ reason }, 0);
  for (const limit of [...RATE_LIMITS, ...COUNT_LIMITS]) limited.inc({ limit, outcome: 'refused' }, 0);
  for (const reason of ['token_expired', 'slow_consumer']) closed.inc({ reason }, 0);
  for (const kind of ['revoke-user', 'revoke-token', 'revoke-session', 'disconnect', 'remove', 'add'])
    ordered.inc({ kind }, 0);
  for (const query of ['fetchSockets', 'allRooms', 'serverSideEmit']) partial.inc({ query }, 0);
  const sumUp = createSummary<`${LimitName} ${LimitOutcome}`>((kind, times) => {
    const [limit, outcome] = kind.split(' ');
    log.warn({ limit, outcome, times }, 'above a limit');
  });
  const presence = presenceEvents(registers);
  const sumUpInvalid = createSummary((_, times) => {
    log.warn({ times }, 'invalid bus messages ignored: their channels are told at the level debug');
  });
  const totals = {
    connections: 0,
    received: 0,
    get sent() {
      return answers.sent + countDeliveries();
    },
  };

  const bus: BusObserver = {
    publishDropped: (error) => {
      dropped.inc();
      log.debug({ err: error }, 'bus publish dropped');
    },
    missed: (count) => {
      missed.inc(count);
      log.debug({ count }, 'bus messages missed');
    },
    invalidMessage: (channel) => {
      invalid.inc();
      log.debug({ channel }, 'invalid bus message ignored');
      sumUpInvalid('message');
    },
    partialAnswer: (query, missing) => {
      partial.inc({ query });
      log.warn({ query, missing }, 'cluster query answered without every node');
    },
    roomReset: (reason) => resets.inc({ reason }),
  };

  const tokenKeys = {
    keysChanged: (keys: number) => log.info({ keys }, 'token keys fetched'),
    keysFailed: (reason: string) => {
      keysFailed.inc();
      log.warn({ reason }, 'token keys could not be fetched: going on with those there are');
    },
  };

  return {
    bus,
    tokenKeys,
    presence,
    /** Running totals of this process, for the rates in its report. */
    totals: totals as Readonly<typeof totals>,
    connected: (fields: { socket: string; namespace: string; user: string; transport: string }) => {
      totals.connections += 1;
      connected.inc();
      connects.inc();
      log.debug(fields, 'socket connected');
    },
    disconnected: (fields: { socket: string; namespace: string; user: string; reason: string }) => {
      totals.connections -= 1;
      connected.dec();
      disconnects.inc({ reason: fields.reason });
      log.info(fields, 'socket disconnected');
    },
    received: (event: string, namespace: string) => {
      totals.received += 1;
      received.inc({ event: LABELLED_EVENTS.has(event) ? event : 'other', namespace });
    },
    sent: () => {
      answers.sent += 1;
    },
    /** A contract event was answered; where each packet is counted, so is its answer. */
    answered: () => {
      if (deliveries !== undefined) answers.sent += 1;
    },
    ordersFrom: (source: () => number) => {
      countStanding = source;
    },
    /** Takes what becomes of broadcasts from running totals instead of one call each. */
    deliveriesFrom: (source: Deliveries) => {
      deliveries = source;
    },
    /** A connection is closed whose client does not take what it is sent; its sockets tell who that was. */
    slowConsumer: (pendingBytes: number) => {
      closed.inc({ reason: 'slow_consumer' });
      log.warn({ pendingBytes }, 'slow consumer closed');
    },
    /** Something above a limit; the log gets the first one and then sums. */
    limited: (limit: LimitName, outcome: LimitOutcome) => {
      limited.inc({ limit, outcome });
      sumUp(`${limit} ${outcome}`);
    },
    /** A failure that a client was told of; only what is our own fault is logged with its cause. */
    failed: (
      error: AppError,
      fields: { socket?: string; event?: string; namespace?: string; reason?: string },
    ) => {
      errors.inc({ code: error.code });
      if (error.code === 'internal') log.error({ ...fields, err: error.cause ?? error }, 'handler failed');
      else log.debug({ ...fields, code: error.code }, 'request refused');
    },
    ordered: (kind: string) => {
      ordered.inc({ kind });
      log.debug({ kind }, 'order carried out');
    },
    sessionExpired: () => expired.inc(),
    sessionRefreshed: () => refreshed.inc(),
    sessionClosed: (socket: string, reason: string) => {
      closed.inc({ reason });
      log.info({ socket, reason }, 'session closed');
    },
    refusedConnection: (fields: { code: string; reason: string }) => {
      errors.inc({ code: fields.code });
      log.debug(fields, 'connection refused');
    },
    redisChanged: (up: boolean, reason?: string) => {
      redisUp ??= new Gauge({ name: 'fanfare_redis_up', help: '1 while Redis is connected', registers });
      redisUp.set(up ? 1 : 0);
      if (up) log.info('redis connected');
      else log.warn({ reason }, 'redis is away: delivering locally only');
    },
    redisWarned: (warning: string) => log.warn({ warning }, 'redis settings'),
    redisEmptied: () => log.warn('redis has lost all data: rooms begin anew'),
    superseded: () =>
      log.error('another process took over this node id: give every node its own FANFARE_NODE_ID'),
  };
}

const presenceEvents = (registers: Registry[]) => {
  const told = new Counter({
    name: 'fanfare_presence_told_total',
    help: 'Messages about the presence of a room, one for all members on this process',
    registers,
  });
  const ended = new Counter({
    name: 'fanfare_presence_leases_ended_total',
    help: 'Processes that went without a word and whose members this one has taken off',
    registers,
  });
  const replaced = new Counter({
    name: 'fanfare_presence_leases_replaced_total',
    help: 'How often this process has written all of its members anew, after a loss of Redis or of its own lease',
    registers,
  });
  let countRooms: (() => number) | undefined;
  new Gauge({
    name: 'fanfare_presence_rooms',
    help: 'Rooms with members on this process',
    registers,
    collect() {
      this.set(countRooms?.() ?? 0);
    },
  });
  const observer: PresenceObserver = {
    leaseEnded: () => ended.inc(),
    leaseReplaced: () => replaced.inc(),
  };
  return {
    ...observer,
    told: () => told.inc(),
    roomsFrom: (source: () => number) => {
      countRooms = source;
    },
  };
};
