import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { checkBytes, type Question, request } from './ask.ts';
import { EVENT_BYTES, type Requests } from './contract.ts';
import { listenDirect } from './direct.ts';
import { FanfareError, unavailable } from './error.ts';
import {
  type AppEvents,
  type DirectHandlers,
  type JoinOptions,
  joinRoom,
  listenerOf,
  type RoomHandle,
  type RoomHandlers,
} from './rooms/handle.ts';
import { Rooms } from './rooms/rooms.ts';
import { Connection, type ConnectionState } from './session/connection.ts';
import { tendSession } from './session/session.ts';
import { type BackoffOptions, backoff, Pace, wait } from './session/timing.ts';
import { type TokenProvider, TokenSource } from './session/token.ts';

export interface ClientOptions {
  /** Origin of the cluster, such as `https://rt.example.com`; default: the page's own. */
  url?: string;
  /** Default `/`. */
  namespace?: string;
  /** A token, or a function that fetches one; with a function the session outlives its first token. */
  token: TokenProvider;
  /** Default true; otherwise `connect()` does it. */
  autoConnect?: boolean;
  /** Delays between tries to connect or to publish. */
  backoff?: BackoffOptions;
  /** Options of the stock client, on top of ours. */
  socketOptions?: Partial<ManagerOptions & SocketOptions>;
}

export interface SignalOptions {
  /** While it waits for a member that does not keep up, a newer one of the same room, event and key takes its place. */
  conflate?: string;
}

export interface PublishOptions {
  /** Idempotency id, at most 128 characters; default: a random one for this call. */
  id?: string;
  /** For all tries together, in ms; default 10000. */
  timeoutMs?: number;
}

/** Where an event stands in its room's log; without a log the epoch is empty and the offset null. */
export type Published = Requests['room:publish']['answer'];

/** One session with the cluster that outlives its connections. */
export interface Client<Events extends object = AppEvents> {
  /** The stock socket underneath, for a team's own events. Its room events may be repeated: use `join` for those. */
  readonly socket: Socket;
  /** How the session stands; another object whenever that changes. */
  readonly state: ConnectionState;
  /** Calls `listener` whenever `state` is another; returns how to stop that. */
  onState(listener: (state: ConnectionState) => void): () => void;
  /** Begins or goes on with the session; nothing when there is one. */
  connect(): void;
  /** Ends the session. Rooms go on from where they are after `connect()`, which asks for a token anew. */
  close(): void;
  /**
   * Subscribes to a room, now and after every reconnect: each logged event once and in order. `inbox:me` is the room of
   * this user alone, which backends publish to.
   */
  join(room: string, handlers: RoomHandlers<Events>, options?: JoinOptions): RoomHandle;
  /**
   * Publishes to a room's log. Tries again with the same id while the cluster is unreachable, so one call is at most one
   * event; rejects with a `FanfareError`, of which `unavailable` means that the outcome is not known, and
   * `payload_too_large` that `data` is more than 64 KB of JSON.
   */
  publish<Name extends keyof Events & string>(
    room: string,
    event: Name,
    data: Events[Name],
    options?: PublishOptions,
  ): Promise<Published>;
  /** Tells the other members something that may be lost. What it rejects with may be ignored. */
  signal<Name extends keyof Events & string>(
    room: string,
    event: Name,
    data: Events[Name],
    options?: SignalOptions,
  ): Promise<void>;
  /**
   * Tells another user, on all of their sockets and the other ones of this user, what may be lost. Tried once; rejects
   * with `user_offline` when they have none, and with `forbidden` when the token does not list them.
   */
  send<Name extends keyof Events & string>(user: string, event: Name, data: Events[Name]): Promise<void>;
  /** Hears what other users send to this one, and what this one sends elsewhere; returns how to stop that. */
  onDirect(handlers: DirectHandlers<Events>): () => void;
}

const PUBLISH_TIMEOUT_MS = 10_000;
/** Longest wait for one ack: a gateway gives up on its log after about one second. */
const ACK_TIMEOUT_MS = 4000;
/** At most what a message has around its payload: type, namespace, number of the ack, name. */
const ENVELOPE_BYTES = 128;

/** An id for one publish. `crypto.randomUUID` does not exist on pages without TLS. */
const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );

const isTooFast = (error: unknown): boolean => error instanceof FanfareError && error.code === 'rate_limited';

/** Asks until it is answered, refused for good, or too late. */
const insist = async <Answer>(
  options: { connection: Connection; pace: Pace; timeoutMs: number; backoff: BackoffOptions },
  attempt: (timeoutMs: number) => Promise<Answer>,
): Promise<Answer> => {
  const deadline = performance.now() + options.timeoutMs;
  const check = (at: number) => {
    if (at >= deadline) throw unavailable('There was no time left for it');
    if (options.connection.state.status !== 'connected') throw unavailable('The connection was lost');
  };
  const once = async () => {
    const now = performance.now();
    check(now);
    return attempt(Math.min(ACK_TIMEOUT_MS, deadline - now));
  };
  for (let tries = 0; ; tries += 1) {
    try {
      await options.connection.untilConnected(deadline - performance.now());
      return await options.pace.run(once, { isRefusal: isTooFast, check });
    } catch (error) {
      if (!(error instanceof FanfareError && error.retryable)) throw error;
      const pause = Math.max(error.retryAfterMs ?? 0, backoff(tries, options.backoff) / 4);
      if (performance.now() + pause >= deadline) throw error;
      await wait(pause);
    }
  }
};

/** Opens a session; `Events` are the app's own events, name → data. */
export function createClient<Events extends object = AppEvents>(options: ClientOptions): Client<Events> {
  const { url = '', namespace = '/', autoConnect = true, backoff = {} } = options;
  const socket = io(url.replace(/\/$/, '') + namespace, {
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    timeout: 10_000,
    forceNew: true,
    ...options.socketOptions,
    autoConnect: false,
    reconnection: false,
  });
  const token = new TokenSource(options.token);
  const connection = new Connection(socket, token, backoff);
  const rooms = new Rooms(socket, backoff);
  const pace = new Pace();
  tendSession({ socket, token, connection, backoff, onRefreshed: () => rooms.retryRefused() });
  if (autoConnect) connection.connect();
  const tell = async <Name extends 'room:publish' | 'room:signal' | 'user:send'>(
    question: Question<Name>,
  ) => {
    checkBytes(question.payload, connection.mostBytes - ENVELOPE_BYTES);
    return request(socket, question);
  };
  return {
    socket,
    get state() {
      return connection.state;
    },
    onState: (listener) => connection.subscribe(() => listener(connection.state)),
    connect: () => connection.connect(),
    close: () => connection.close(),
    join: (room, handlers, joinOptions) => {
      return joinRoom(rooms, room, { ...joinOptions, onEvent: listenerOf(handlers) });
    },
    publish: async (room, event, data, { id = newId(), timeoutMs = PUBLISH_TIMEOUT_MS } = {}) => {
      checkBytes(data, EVENT_BYTES);
      const payload = { room, event, data, id };
      return insist({ connection, pace, timeoutMs, backoff }, (ackMs) =>
        tell({ name: 'room:publish', payload, timeoutMs: ackMs }),
      );
    },
    signal: (room, event, data, { conflate } = {}) => {
      const payload = { room, event, data, ...(conflate !== undefined && { conflate }) };
      const sent = tell({ name: 'room:signal', payload, timeoutMs: ACK_TIMEOUT_MS }).then(() => undefined);
      sent.catch(() => undefined);
      return sent;
    },
    send: async (user, event, data) => {
      const payload = { user, event, data };
      await tell({ name: 'user:send', payload, timeoutMs: ACK_TIMEOUT_MS });
    },
    onDirect: (handlers) => listenDirect(socket, handlers),
  };
}
