import { Redis, type RedisOptions } from 'ioredis';
import type { RedisCommands } from './redis-script.ts';

/** The two connections of a process: commands and publishes on one, subscriptions on the other. */
export interface RedisLink extends AsyncDisposable {
  readonly pub: Redis;
  readonly sub: Redis;
  /** Both connections stand. */
  readonly up: boolean;
  /** Tears both connections down, without waiting for the other side, and connects anew. */
  reconnect(): void;
}

/** Milliseconds until the next try: quick at first, never above a second, so that a Redis that is back is used at once. */
const retryStrategy = (times: number): number =>
  Math.min(50 * 2 ** Math.min(times, 5), 800) + Math.random() * 200;

const shared = {
  retryStrategy,
  connectTimeout: 3000,
  maxRetriesPerRequest: null,
} satisfies RedisOptions;

/**
 * Connects both clients and keeps them connected. A Redis that is away never throws here: commands reject at once
 * (nothing queues, nothing is sent twice after a lost reply) and `onChange` tells when the link goes or comes back.
 */
export function connectRedis(options: {
  url: string;
  name: string;
  onChange: (up: boolean, reason?: string) => void;
}): RedisLink {
  const pub = new Redis(options.url, {
    ...shared,
    connectionName: `${options.name}:pub`,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 1000,
  });
  // The bus makes its subscriptions again itself, so that it knows when all of them stand.
  const sub = new Redis(options.url, {
    ...shared,
    connectionName: `${options.name}:sub`,
    enableOfflineQueue: false,
    autoResubscribe: false,
  });
  // The adapter adds listeners per namespace to both.
  pub.setMaxListeners(0);
  sub.setMaxListeners(0);

  let told: boolean | undefined;
  let lastError: string | undefined;
  const isUp = () => pub.status === 'ready' && sub.status === 'ready';
  const tell = () => {
    const isConnecting = told === undefined && !isUp() && lastError === undefined;
    if (isUp() === told || isConnecting) return;
    told = isUp();
    options.onChange(told, told ? undefined : lastError);
  };
  for (const client of [pub, sub]) {
    client.on('error', (error: Error) => {
      lastError = error.message;
      tell();
    });
    client.on('ready', tell);
    client.on('close', tell);
  }
  return {
    pub,
    sub,
    get up() {
      return isUp();
    },
    reconnect: () => {
      // `disconnect()` would wait for the other side to close, and it is the other side that is silent.
      for (const client of [pub, sub]) client.stream?.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of [pub, sub]) {
        client.removeAllListeners('close');
        client.disconnect();
      }
    },
  };
}

/** How many connections listen on a channel. */
export const countListeners = async (redis: RedisCommands, channel: string): Promise<number> => {
  const reply = await redis.call('PUBSUB', 'NUMSUB', channel);
  return Array.isArray(reply) ? Number(reply[1]) : 0;
};
