import { roomToldIn } from '@fanfare/cluster';
import { AppError, userRoom } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { socketsBeside, tellClosing } from '../session/closing.ts';
import { refusal } from '../socket/refusal.ts';
import type { GatewayNamespace, GatewaySocket } from '../socket/server.ts';
import { addressKey } from './address-key.ts';
import { type Bucket, Meter, Meters, type Rate, take } from './bucket.ts';
import { type Connection, cut, takeTurns, terminate, webSocketOf } from './cut.ts';
import type { CountLimit, LimitConfig, LimitName, RateLimit } from './settings.ts';

/** What became of something above a limit: `dry_run` was let through. */
export type LimitOutcome = 'refused' | 'cut' | 'dry_run';

export type ReportLimited = (limit: LimitName, outcome: LimitOutcome) => void;

/** The limits of a process. Nothing is kept for a connection that is idle. */
export interface Limits {
  /** A packet of Engine.IO, before anything reads it; false when the connection was cut off. */
  packet(connection: Connection, bytes: number): boolean;
  /** A ping or pong of the WebSocket protocol, which Engine.IO never sees. */
  control(webSocket: object): void;
  /** A wish to join a namespace, before it is parsed; false when the connection was cut off. */
  connect(connection: Connection): boolean;
  /** Many packets at once, before they are parsed; false when the connection was cut off. */
  packets(connection: Connection, count: number): boolean;
  /** An event or ack of a socket; returns why it is refused. */
  event(socket: GatewaySocket): AppError | undefined;
  /** Rooms that a socket asks to join; returns why that is refused. */
  joins(socket: GatewaySocket, rooms: number): AppError | undefined;
  /** One more room for a socket; throws when it has as many as it may. */
  room(socket: GatewaySocket): void;
  /** One more socket of its user; returns why it may not come in. */
  socket(socket: GatewaySocket): AppError | undefined;
  /** One more connection; returns why it may not come in. */
  connection(addressOf: () => string, present: number): AppError | undefined;
  /** Counts connections of an address, where that is limited. */
  readonly addresses: { enter(connection: Connection): void } | undefined;
}

/** A bucket that an act is paid from. */
interface Charge {
  limit: RateLimit;
  bucket: Bucket;
  rate: Rate;
  scope: 'socket' | 'user' | 'ip';
  isDryRun: boolean;
}

/** Packets of a connection that are taken one after the other: about 1 ms of work. */
const PACKETS_PER_TURN = 32;

/** When to ask a full node again, in ms: a connection has to end first. */
const FULL_RETRY_MS = 5000;

/** A socket is in a room of its own, and in that of its user. */
const OWN_ROOMS = 2;

export function createLimits(config: LimitConfig, report: ReportLimited): Limits {
  const { rates, counts, isDryRun } = config;
  const idleMs = longestFillMs(Object.values(rates));
  const connections = new Meters<Connection>(() => new WeakMap(), idleMs);
  const webSockets = new Meters<object>(() => new WeakMap(), idleMs);
  const users = new Meters<string>(() => new Map(), idleMs);
  const addresses = new Meters<string>(() => new Map(), idleMs);
  const node = new Meter();
  const ofAddress = new Map<string, number>();

  const chargesOf = (bucket: Bucket, limits: readonly RateLimit[]): Charge[] =>
    limits.flatMap((limit) => {
      const rate = rates[limit];
      const scope = limit.startsWith('user') ? 'user' : limit.startsWith('ip') ? 'ip' : 'socket';
      return rate === undefined ? [] : [{ limit, bucket, rate, scope, isDryRun: isDryRun(limit) }];
    });
  const perEvent = chargesOf('events', ['socket_events', 'user_events', 'ip_events']);
  const perByte = chargesOf('bytes', ['socket_bytes', 'user_bytes', 'ip_bytes']);
  const perJoin = chargesOf('joins', ['socket_joins', 'user_joins', 'ip_joins']);
  const [perPacket] = chargesOf('packets', ['socket_packets']);
  const [perConnect] = chargesOf('connects', ['socket_connects']);
  const [perRefusal] = chargesOf('refusals', ['socket_refusals']);
  const [perHandshake] = chargesOf('handshakes', ['node_handshakes']);

  const mostUnbilled = isDryRun('socket_bytes') ? Infinity : (rates.socket_bytes?.burst ?? Infinity);

  /** How long to wait for a token, 0 when one was taken or nothing is limited. */
  const spend = (
    meter: Meter,
    charge: Charge | undefined,
    { cost = 1, now }: { cost?: number; now: number },
  ) => {
    if (charge === undefined) return 0;
    const waitMs = take(meter, charge.bucket, { rate: charge.rate, cost, now });
    if (waitMs === 0 || !charge.isDryRun) return waitMs;
    report(charge.limit, 'dry_run');
    return 0;
  };
  const meterOf = (scope: Charge['scope'], socket: GatewaySocket, now: number): Meter => {
    if (scope === 'user') return users.of(socket.data.user.id, now);
    if (scope === 'ip') return addresses.of(addressKey(socket.conn.remoteAddress), now);
    return connections.of(socket.conn, now);
  };
  const isReached = (limit: CountLimit, count: number): boolean => {
    const most = counts[limit];
    if (most === undefined || count < most) return false;
    report(limit, isDryRun(limit) ? 'dry_run' : 'refused');
    return !isDryRun(limit);
  };
  /** What a refusal tells the client, and the end for one that takes no notice. */
  const refuse = (
    socket: GatewaySocket,
    limit: RateLimit,
    { waitMs, now }: { waitMs: number; now: number },
  ) => {
    report(limit, 'refused');
    if (spend(connections.of(socket.conn, now), perRefusal, { now }) > 0) {
      report('socket_refusals', 'cut');
      for (const own of socketsBeside(socket)) tellClosing(own, { reason: 'rate_limited', reconnect: true });
      cut(socket.conn);
    }
    return new AppError('rate_limited', undefined, { retryAfterMs: Math.ceil(waitMs) });
  };
  const cutOff = (connection: Connection, limit: RateLimit): false => {
    report(limit, 'cut');
    cut(connection);
    return false;
  };

  /** Asks every bucket in turn; the first one without a token refuses. */
  const charge = (
    socket: GatewaySocket,
    charges: readonly Charge[],
    spending: { cost: number; now: number },
  ): AppError | undefined => {
    for (const one of charges) {
      const waitMs = spend(meterOf(one.scope, socket, spending.now), one, spending);
      if (waitMs > 0) return refuse(socket, one.limit, { waitMs, now: spending.now });
    }
    return undefined;
  };

  return {
    packet: (connection, bytes) => {
      const now = performance.now();
      const meter = connections.of(connection, now);
      if (endsStreak(meter)) takeTurns(webSocketOf(connection), meter.streak > 0);
      if (spend(meter, perPacket, { now }) > 0) return cutOff(connection, 'socket_packets');
      meter.unbilled += bytes;
      // What is no event is billed to nobody: a flood of it ends here.
      return meter.unbilled <= mostUnbilled || cutOff(connection, 'socket_bytes');
    },
    control: (webSocket) => {
      const now = performance.now();
      const meter = webSockets.of(webSocket, now);
      if (endsStreak(meter)) takeTurns(webSocket, meter.streak > 0);
      if (spend(meter, perPacket, { now }) === 0) return;
      report('socket_packets', 'cut');
      terminate(webSocket);
    },
    connect: (connection) => {
      const now = performance.now();
      const waitMs = spend(connections.of(connection, now), perConnect, { now });
      return waitMs === 0 || cutOff(connection, 'socket_connects');
    },
    packets: (connection, count) => {
      const most = rates.socket_packets?.burst ?? Infinity;
      if (count <= most) return true;
      if (!isDryRun('socket_packets')) return cutOff(connection, 'socket_packets');
      report('socket_packets', 'dry_run');
      return true;
    },
    event: (socket) => {
      const now = performance.now();
      const meter = connections.of(socket.conn, now);
      const bytes = meter.unbilled;
      meter.unbilled = 0;
      return charge(socket, perEvent, { cost: 1, now }) ?? charge(socket, perByte, { cost: bytes, now });
    },
    joins: (socket, rooms) => charge(socket, perJoin, { cost: rooms, now: performance.now() }),
    room: (socket) => {
      const { size } = socket.rooms;
      if (size - OWN_ROOMS < (counts.socket_rooms ?? Infinity)) return;
      // Rooms in which presence is told are not the client's.
      const own = [...socket.rooms].filter((name) => roomToldIn(name) === undefined);
      if (!isReached('socket_rooms', own.length - OWN_ROOMS)) return;
      throw new AppError(
        'limit_reached',
        `A socket may be in ${counts.socket_rooms} rooms: leave some first`,
      );
    },
    socket: ({ nsp, data }) => {
      const present = nsp.adapter.rooms.get(userRoom(data.user.id))?.size ?? 0;
      if (!isReached('user_sockets', present)) return undefined;
      return new AppError(
        'limit_reached',
        `A user may have ${counts.user_sockets} connections: close some first`,
      );
    },
    connection: (addressOf, present) => {
      const now = performance.now();
      if (isReached('node_connections', present))
        return new AppError('unavailable', 'This node is full', { retryAfterMs: FULL_RETRY_MS });
      if (
        counts.ip_sockets !== undefined &&
        isReached('ip_sockets', ofAddress.get(addressKey(addressOf())) ?? 0)
      )
        return new AppError('limit_reached');
      const waitMs = spend(node, perHandshake, { now });
      if (waitMs === 0) return undefined;
      report('node_handshakes', 'refused');
      return new AppError('rate_limited', undefined, { retryAfterMs: Math.ceil(waitMs) });
    },
    addresses:
      counts.ip_sockets === undefined
        ? undefined
        : {
            enter: (connection) => {
              const key = addressKey(connection.remoteAddress);
              ofAddress.set(key, (ofAddress.get(key) ?? 0) + 1);
              connection.once('close', () => {
                const left = (ofAddress.get(key) ?? 1) - 1;
                if (left > 0) ofAddress.set(key, left);
                else ofAddress.delete(key);
              });
            },
          },
  };
}

/** Whether the next message waits for its turn, or is the one that has waited and begins another streak. */
const endsStreak = (meter: Meter): boolean => {
  meter.streak += 1;
  if (meter.streak > PACKETS_PER_TURN) meter.streak = 0;
  return meter.streak === 0 || meter.streak === PACKETS_PER_TURN;
};

/** An empty bucket is full again after so many ms, 10 s at the least. */
const longestFillMs = (rates: readonly (Rate | undefined)[]): number =>
  Math.max(10_000, ...rates.map((rate) => (rate === undefined ? 0 : (rate.burst / rate.perSecond) * 1000)));

/** Lets no more sockets of a user into a namespace than may be. */
export function limitUsers(
  namespace: GatewayNamespace,
  { limits, events }: { limits: Limits; events: GatewayEvents },
): void {
  namespace.use((socket, next) => {
    const error = limits.socket(socket);
    return error === undefined ? next() : next(refusal(socket, error, events));
  });
}
