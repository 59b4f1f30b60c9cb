import { createAdapter } from '@socket.io/redis-adapter';
import type { Redis } from 'ioredis';
import { decode, encode } from 'notepack.io';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { SOCKET_IO_PREFIX } from '../keys.ts';
import type { RedisLink } from '../redis.ts';
import { isBroadcast, isRequest, isResponse } from './bus-messages.ts';

/** What the bus could not do, told as it happens. */
export interface BusObserver {
  /** A message for the other nodes was not handed to Redis. */
  publishDropped(error: unknown): void;
  /** Something on our channels was not a message of the adapter's and was ignored. */
  invalidMessage(channel: string): void;
}

export type AdapterFactory = (nsp: Namespace) => Adapter;

/** Longest wait of a cluster query such as `fetchSockets()`, in ms. */
const REQUESTS_TIMEOUT_MS = 1000;

/**
 * The stock `@socket.io/redis-adapter` 8.3.0 behind guards, so that neither a Redis that is away nor anything that
 * arrives from it can throw. Only public seams are used: the two clients and the parser that the adapter is given.
 */
export function createRedisAdapter(link: RedisLink, observer: BusObserver): AdapterFactory {
  const create = createAdapter(guardPublisher(link.pub, observer), guardSubscriber(link.sub, observer), {
    key: SOCKET_IO_PREFIX,
    requestsTimeout: REQUESTS_TIMEOUT_MS,
    publishOnSpecificResponseChannel: true,
    parser: { encode, decode: strictDecode },
  });
  // Socket.IO calls it with `new`, so it cannot be an arrow function.
  return function createGuarded(nsp) {
    const adapter = create(nsp);
    const countServers = adapter.serverCount.bind(adapter);
    // socket.io 4.8.4 awaits this without a catch in every broadcast that wants acks; alone is what a node then is.
    adapter.serverCount = () => countServers().catch(() => 1);
    return adapter;
  };
}

class InvalidBusMessage extends Error {}

/** Broadcasts are arrays; requests and responses were checked before the adapter saw them. */
const strictDecode = (message: Buffer): unknown => {
  const decoded: unknown = decode(message);
  if (Array.isArray(decoded) && !isBroadcast(decoded)) throw new InvalidBusMessage();
  return decoded;
};

/** The adapter never awaits a publish: without a catch here a Redis outage ends the process. */
const guardPublisher = (client: Redis, observer: BusObserver): Redis =>
  new Proxy(client, {
    get(target, property) {
      if (property === 'publish') {
        return (channel: string, message: string | Buffer) =>
          target.publish(channel, message).catch((error: unknown) => observer.publishDropped(error));
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

type MessageListener = (...args: [...channels: (string | Buffer)[], message: Buffer]) => unknown;

const SUBSCRIPTIONS: ReadonlySet<string | symbol> = new Set([
  'subscribe',
  'psubscribe',
  'unsubscribe',
  'punsubscribe',
]);
const REQUESTS = `${SOCKET_IO_PREFIX}-request#`;
const RESPONSES = `${SOCKET_IO_PREFIX}-response#`;

/** The adapter's listeners parse what anybody may have sent, one of them in a promise that nobody awaits. */
const guardSubscriber = (client: Redis, observer: BusObserver): Redis => {
  const guarded = new Map<unknown, MessageListener>();
  /** A message is judged once however many namespaces listen. */
  const verdicts = new WeakMap<Buffer, boolean>();

  const judge = (channel: string, message: Buffer, isValid: (message: Buffer) => boolean): boolean => {
    const known = verdicts.get(message);
    if (known !== undefined) return known;
    const verdict = isValid(message);
    verdicts.set(message, verdict);
    if (!verdict) observer.invalidMessage(channel);
    return verdict;
  };
  const refuse = (channel: string, message: Buffer) => {
    if (verdicts.get(message) !== false) observer.invalidMessage(channel);
    verdicts.set(message, false);
  };

  const guard =
    (listener: MessageListener): MessageListener =>
    (...args) => {
      const message = args[args.length - 1];
      const channel = String(args[args.length - 2]);
      if (!Buffer.isBuffer(message)) return;
      if (channel.startsWith(REQUESTS) && !judge(channel, message, isRequest)) return;
      if (channel.startsWith(RESPONSES) && !judge(channel, message, isResponse)) return;
      try {
        Promise.resolve(listener(...args)).catch(() => refuse(channel, message));
      } catch {
        refuse(channel, message);
      }
    };

  return new Proxy(client, {
    get(target, property) {
      if (property === 'on') {
        return (event: string, listener: MessageListener) => {
          if (!event.endsWith('messageBuffer')) return target.on(event, listener);
          guarded.set(listener, guard(listener));
          return target.on(event, guarded.get(listener) ?? listener);
        };
      }
      if (property === 'off') {
        return (event: string, listener: MessageListener) => {
          target.off(event, guarded.get(listener) ?? listener);
          guarded.delete(listener);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      if (!SUBSCRIPTIONS.has(property)) return value.bind(target);
      // A subscription that fails with its connection is repeated by ioredis once the connection is back.
      return (...args: unknown[]) => Promise.resolve(value.apply(target, args)).catch(() => undefined);
    },
  });
};
