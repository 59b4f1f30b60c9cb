import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { createChangeTeller, type LinkChange } from './away.ts';
import { ClusterSubscriptions, type Comparison, type Route } from './cluster-subscriptions.ts';
import type { RedisCommands } from './script.ts';
import type { Password, RedisTarget } from './url.ts';

/** What a process holds of Redis, whatever its shape. Nothing of it throws by itself while Redis is away. */
export interface RedisLink extends AsyncDisposable {
  /** Commands and publishes; each rejects at once while Redis is away. */
  readonly pub: RedisCommands;
  /** Rooms live on the shards of a Redis Cluster: their messages go by SPUBLISH. */
  readonly isSharded: boolean;
  /** Commands and subscriptions both stand. */
  readonly up: boolean;
  /** Subscriptions can be made. */
  readonly isListening: boolean;
  publish(channel: string, message: string | Buffer): Promise<unknown>;
  /** Resolves with those that stand. */
  subscribe(channels: readonly string[]): Promise<readonly string[]>;
  unsubscribe(channels: readonly string[]): Promise<unknown>;
  /** Of these channels those whose subscription is gone. */
  lost(channels: Iterable<string>): readonly string[];
  /** Whom a new connection hears is for the process to say; a cluster client keeps subscriptions of its own. */
  compare(wanted: ReadonlyMap<string, unknown>): Comparison;
  /** Called for every message, and when subscriptions were lost or can be made again. */
  onMessage(listener: (channel: string, message: Buffer) => void): void;
  onSubscriptions(listeners: { lost: () => void; ready: () => void }): void;
  /** The ways on which messages come in now, each with a channel that begins with this name. */
  routes(name: string): readonly Route[];
  /** Tears the connections down, without waiting for the other side, and connects anew. */
  reconnect(): void;
}

export interface LinkOptions extends LinkChange {
  /** Shows in `CLIENT LIST`. */
  name: string;
}

/** Milliseconds until the next try: never above half a second, so that a Redis that is back is used at once. */
const retryStrategy = (times: number): number =>
  Math.min(50 * 2 ** Math.min(times, 3), 400) + Math.random() * 100;

const textOf = (password: Password): string => (typeof password === 'string' ? password : password.reveal());

const tlsOf = ({ ca }: RedisTarget) => (ca === undefined ? {} : { ca });

/** No command waits in a queue, and none is sent twice after a lost reply. */
const commonOptions = ({ target, name }: LinkOptions, role: string) =>
  ({
    connectTimeout: 3000,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: false,
    connectionName: `${name}:${role}`,
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: textOf(target.password) }),
    ...(target.tls && { tls: tlsOf(target) }),
  }) satisfies RedisOptions;

const COMMAND_TIMEOUT_MS = 1000;

/** Longest time that a command waits for others, in ms. */
const HELD_BACK_MS = 1;

/**
 * Sends commands together: those of one turn of the event loop, and while an answer is awaited those of all turns until
 * it is there. A system call costs more than a command, on both sides; a client that waits for nothing is not delayed.
 */
const writeTogether = (client: Redis): void => {
  const sendCommand = client.sendCommand.bind(client);
  let connection: Redis['stream'] | undefined;
  let isAwaiting = false;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    isAwaiting = true;
    connection?.uncork();
  };
  client.sendCommand = (command, stream) => {
    if (client.stream !== connection) {
      connection = client.stream;
      isAwaiting = false;
      connection?.on('data', () => {
        isAwaiting = false;
        if (timer !== undefined) flush();
      });
    }
    if (connection?.writableCorked === 0) {
      connection.cork();
      if (isAwaiting) timer = setTimeout(flush, HELD_BACK_MS);
      else setImmediate(flush);
    }
    return sendCommand(command, stream);
  };
};

/** Connects and keeps connected. */
export const connectRedis = (options: LinkOptions): RedisLink =>
  options.target.kind === 'cluster' ? connectCluster(options) : connectOne(options);

/** A standalone Redis, or the master that sentinels name. */
function connectOne(options: LinkOptions): RedisLink {
  const { target } = options;
  const connect = (role: string, own: { commandTimeout?: number; autoResubscribe?: boolean }) => {
    const where =
      target.kind === 'sentinel'
        ? {
            sentinels: target.nodes,
            name: target.master,
            sentinelRetryStrategy: retryStrategy,
            ...(target.sentinel && { sentinelPassword: textOf(target.sentinel.password) }),
            ...(target.sentinel?.username !== undefined && { sentinelUsername: target.sentinel.username }),
            ...(target.tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(target) }),
          }
        : { ...target.nodes[0] };
    return new Redis({
      ...commonOptions(options, role),
      ...where,
      ...own,
      retryStrategy,
      enableOfflineQueue: false,
    });
  };
  const pub = connect('pub', { commandTimeout: COMMAND_TIMEOUT_MS });
  writeTogether(pub);
  // The bus makes its subscriptions again itself, so that it knows when all of them stand.
  const sub = connect('sub', { autoResubscribe: false });
  const isUp = () => pub.status === 'ready' && sub.status === 'ready';
  const teller = createChangeTeller(isUp, options);
  for (const client of [pub, sub]) {
    const { failed, closed } = teller.createLoss();
    client.on('error', failed);
    client.on('ready', teller.ready);
    client.on('close', closed);
  }
  const reconnect = () => {
    // `disconnect()` would wait for the other side to close, and it is the other side that is silent.
    for (const client of [pub, sub]) client.stream?.destroy();
  };
  return {
    pub,
    isSharded: false,
    get up() {
      return isUp();
    },
    get isListening() {
      return sub.status === 'ready';
    },
    publish: (channel, message) => pub.publish(channel, message),
    subscribe: (channels) => sub.subscribe(...channels).then(() => channels),
    unsubscribe: (channels) => sub.unsubscribe(...channels),
    lost: (channels) => [...channels],
    compare: (wanted) => ({ standing: [], missing: [...wanted.keys()], stray: [] }),
    onMessage: (listener) => {
      sub.on('messageBuffer', (channel: Buffer, message: Buffer) => listener(channel.toString(), message));
    },
    onSubscriptions: ({ lost, ready }) => {
      sub.on('close', lost);
      sub.on('ready', ready);
    },
    routes: (name) => [{ channel: name, publish: (message) => pub.publish(name, message), reconnect }],
    reconnect,
    [Symbol.asyncDispose]: async () => {
      for (const client of [pub, sub]) {
        client.removeAllListeners('close');
        client.disconnect();
      }
    },
  };
}

/** Signs that some subscription of a cluster may have been moved or cut. */
const CLUSTER_TROUBLE = ['-node', '-subscriber', 'node error', 'nodeError', 'close'] as const;
/** Quiet after trouble until the rooms are compared with their logs, in ms, and how long that waits for quiet. */
const CLUSTER_SETTLE_MS = 250;
const CLUSTER_TROUBLE_MS = 2000;
/** Least time between two looks at what trouble has cut, in ms. */
const CLUSTER_LOOK_MS = 100;
/** Least time between two questions for the slots, in ms: ioredis asks again at once as long as a master is dead. */
const CLUSTER_SLOTS_MS = 200;

/** Has a cluster client ask for the slots no more often than that. */
const askLessOften = (cluster: Cluster): void => {
  const refresh = cluster.refreshSlotsCache.bind(cluster);
  let askedAt = Number.NEGATIVE_INFINITY;
  let waiting: Parameters<typeof refresh>[0][] | undefined;
  cluster.refreshSlotsCache = (callback) => {
    const wait = askedAt + CLUSTER_SLOTS_MS - performance.now();
    if (wait <= 0) {
      askedAt = performance.now();
      refresh(callback);
    } else if (waiting === undefined) {
      const callbacks = [callback];
      waiting = callbacks;
      setTimeout(() => {
        waiting = undefined;
        askedAt = performance.now();
        // A client that was ended meanwhile has nobody to ask, and would take that for an outage.
        if (cluster.status !== 'end' && cluster.status !== 'disconnecting') callbacks.forEach(refresh);
      }, wait).unref();
    } else waiting.push(callback);
  };
};

/**
 * A Redis Cluster: our messages go by SPUBLISH to the shard of their channel, and each channel is heard both ways,
 * because emitters use PUBLISH and neither hears the other.
 */
function connectCluster(options: LinkOptions): RedisLink {
  const cluster = new Cluster(options.target.nodes, {
    shardedSubscribers: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshInterval: 2000,
    redisOptions: { ...commonOptions(options, 'cluster'), commandTimeout: COMMAND_TIMEOUT_MS },
  });
  askLessOften(cluster);
  const subscriptions = new ClusterSubscriptions(cluster);
  const isUp = () => cluster.status === 'ready';
  const teller = createChangeTeller(isUp, options);
  const { failed, closed } = teller.createLoss();
  cluster.on('error', failed);
  cluster.on('ready', teller.ready);
  cluster.on('close', closed);
  let settling: NodeJS.Timeout | undefined;
  let looking: NodeJS.Timeout | undefined;
  return {
    pub: cluster,
    isSharded: true,
    get up() {
      return isUp();
    },
    get isListening() {
      return isUp();
    },
    publish: (channel, message) => cluster.spublish(channel, message),
    subscribe: (channels) => subscriptions.subscribe(channels),
    unsubscribe: (channels) => subscriptions.unsubscribe(channels),
    lost: (channels) => subscriptions.lost(channels),
    compare: (wanted) => subscriptions.compare(wanted),
    onMessage: (listener) => {
      for (const event of ['messageBuffer', 'smessageBuffer']) {
        cluster.on(event, (channel: Buffer, message: Buffer) => listener(channel.toString(), message));
      }
    },
    onSubscriptions: ({ lost, ready }) => {
      // Trouble with a node comes again many times a second: one comparison when it is over, and some while it lasts.
      let since: number | undefined;
      const settle = () => {
        const now = performance.now();
        since ??= now;
        clearTimeout(settling);
        settling = setTimeout(
          () => {
            since = undefined;
            if (isUp()) ready();
          },
          Math.max(0, Math.min(CLUSTER_SETTLE_MS, since + CLUSTER_TROUBLE_MS - now)),
        );
      };
      let lookedAt = Number.NEGATIVE_INFINITY;
      const look = () => {
        looking = undefined;
        lookedAt = performance.now();
        lost();
      };
      // At once, and no more often than it may cost with many rooms.
      const onTrouble = () => {
        const wait = lookedAt + CLUSTER_LOOK_MS - performance.now();
        if (wait <= 0) look();
        else looking ??= setTimeout(look, wait);
        settle();
      };
      for (const event of CLUSTER_TROUBLE) cluster.on(event, onTrouble);
      cluster.on('ready', ready);
      // ioredis has only just sent its own subscriptions.
      cluster.on('subscribersReady', settle);
    },
    routes: (name) => subscriptions.routes(name),
    reconnect: () => subscriptions.reconnect(),
    [Symbol.asyncDispose]: async () => {
      clearTimeout(settling);
      clearTimeout(looking);
      cluster.removeAllListeners('close');
      cluster.disconnect();
    },
  };
}

export interface ListenerCount {
  count: number;
  /** Whether every server has answered. */
  isComplete: boolean;
}

/** Longest wait for the count of one node of a cluster, in ms. */
const COUNT_MS = 300;

/** How many connections listen on a channel; each node of a cluster knows its own only. Rejects when none can be asked. */
export const countListeners = async (redis: RedisCommands, channel: string): Promise<ListenerCount> => {
  const ask = (server: Redis) => server.call('PUBSUB', 'NUMSUB', channel);
  const inTime = (server: Redis) => Promise.race([ask(server), wait(COUNT_MS, undefined, { ref: false })]);
  const replies = redis instanceof Cluster ? redis.nodes().map(inTime) : [ask(redis)];
  const settled = await Promise.allSettled(replies);
  const counts = settled.flatMap((one) =>
    one.status === 'fulfilled' && Array.isArray(one.value) ? [Number(one.value[1])] : [],
  );
  const refusal = settled.find((one) => one.status === 'rejected');
  if (counts.length === 0 && refusal !== undefined) throw refusal.reason;
  return { count: counts.reduce((sum, one) => sum + one, 0), isComplete: counts.length === settled.length };
};
