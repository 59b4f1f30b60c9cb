import type { Socket } from 'socket.io-client';
import { callApp, FanfareError, unavailable } from '../error.ts';
import { type BackoffOptions, backoff, Timer } from './timing.ts';
import type { TokenSource } from './token.ts';

/** `connecting`: a try is under way. `waiting`: for the next try. `closed`: nothing happens until `connect()`. */
export type ConnectionStatus = 'connecting' | 'connected' | 'waiting' | 'closed';

/** A new object whenever something has changed. */
export interface ConnectionState {
  readonly status: ConnectionStatus;
  /** Why the last session or try ended, while there is no new one. */
  readonly error?: FanfareError;
  /** Of `waiting`: when the next try begins, in ms since 1970. */
  readonly retryAt?: number;
}

/** Longest time from asking for a token to being in the namespace, in ms. */
const CONNECT_TIMEOUT_MS = 20_000;
/** A connection that lasts this long starts the back-off anew, in ms. */
const STABLE_MS = 5000;
/** Longest wait before coming back from a session whose end was announced, in ms; nothing of it is the client's fault. */
const RETURN_SPREAD_MS = 200;

/** What a middleware of the gateway answered instead of letting the socket in. */
const refusalOf = (error: Error): FanfareError => {
  const data: unknown = 'data' in error ? error.data : undefined;
  if (typeof data !== 'object' || data === null || !('code' in data)) {
    return new FanfareError('not_found', error.message, { cause: error });
  }
  const retryable = 'retryable' in data && data.retryable === true;
  return new FanfareError(String(data.code), error.message, { retryable, cause: error });
};

/** How an app's token function says that there will be no token any more. */
export const isFinal = (cause: unknown): cause is FanfareError =>
  cause instanceof FanfareError && !cause.retryable;

/**
 * Keeps one socket connected. The stock reconnection is off: its delays lose their spread at the longest one and become 0
 * after about a thousand tries (socket.io-client 4.8.4, contrib/backo2.js), and it knows nothing of tokens.
 */
export class Connection {
  state: ConnectionState = { status: 'closed' };
  /** Longest message that the gateway takes, in bytes, as it says by itself. */
  mostBytes = Number.POSITIVE_INFINITY;
  readonly #socket: Socket;
  readonly #token: TokenSource;
  readonly #backoff: BackoffOptions;
  readonly #listeners = new Set<() => void>();
  readonly #retryTimer = new Timer();
  readonly #tryTimer = new Timer();
  /** What is still under way of an earlier try is not for this one. */
  #try = 0;
  #failures = 0;
  #connectedAt = 0;
  #wasCached = false;
  /** What the gateway said would follow the end of this session. */
  #ending: { reconnect: boolean; reason: string } | undefined;

  constructor(socket: Socket, token: TokenSource, options: BackoffOptions) {
    this.#socket = socket;
    this.#token = token;
    this.#backoff = options;
    socket.on('connect', () => this.#connected());
    socket.on('connect_error', (error) => this.#failed(error));
    socket.on('disconnect', (reason) => this.#disconnected(reason));
  }

  connect(): void {
    if (this.state.status !== 'closed') return;
    this.#failures = 0;
    globalThis.addEventListener?.('online', this.#online);
    this.#attempt();
  }

  /** Ends the session and all tries, for the given reason if any. */
  close(error?: FanfareError): void {
    this.#stopTrying();
    this.#token.reset();
    globalThis.removeEventListener?.('online', this.#online);
    this.#set(error === undefined ? { status: 'closed' } : { status: 'closed', error });
    this.#socket.disconnect();
  }

  /** Begins another session at once, with whatever token is the newest. */
  renew(): void {
    this.#attempt();
  }

  /** The gateway is about to end the session; without `reconnect` it is the last one. */
  expectEnd(ending: { reconnect: boolean; reason: string }): void {
    this.#ending = ending;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Rejects when there is no connection within `timeoutMs`, or when there will be none. */
  untilConnected(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = new Timer();
      const settle = (error?: FanfareError) => {
        timer.clear();
        unsubscribe();
        if (error === undefined) resolve();
        else reject(error);
      };
      const check = () => {
        const { status, error } = this.state;
        if (status === 'connected') settle();
        else if (status === 'closed') settle(error ?? new FanfareError('closed', 'The client is closed'));
      };
      const unsubscribe = this.subscribe(check);
      timer.set(timeoutMs, () =>
        settle(unavailable(`No connection within ${timeoutMs} ms`, this.state.error)),
      );
      check();
    });
  }

  readonly #online = () => {
    if (this.state.status === 'waiting') this.#attempt();
  };

  #attempt(): void {
    const id = this.#stopTrying();
    const { error: reason } = this.state;
    this.#set({ status: 'connecting', ...(reason !== undefined && { error: reason }) });
    this.#socket.disconnect();
    const isCurrent = () => id === this.#try;
    this.#tryTimer.set(CONNECT_TIMEOUT_MS, () => {
      this.#retry(unavailable(`No connection within ${CONNECT_TIMEOUT_MS} ms`));
    });
    this.#wasCached = this.#token.current !== undefined;
    this.#token.get().then(
      (token) => {
        if (!isCurrent()) return;
        this.#socket.auth = { token };
        this.#socket.connect();
        this.#socket.io.engine.once('handshake', ({ maxPayload }) => {
          this.mostBytes = maxPayload;
        });
      },
      (cause: unknown) => {
        if (!isCurrent()) return;
        if (isFinal(cause)) this.close(cause);
        else this.#retry(unavailable('The token could not be fetched', cause));
      },
    );
  }

  #stopTrying(): number {
    this.#retryTimer.clear();
    this.#tryTimer.clear();
    this.#ending = undefined;
    this.#try += 1;
    return this.#try;
  }

  #retry(error: FanfareError, delayMs = backoff(this.#failures, this.#backoff)): void {
    this.#stopTrying();
    this.#failures += 1;
    this.#set({ status: 'waiting', error, retryAt: Date.now() + delayMs });
    this.#socket.disconnect();
    this.#retryTimer.set(delayMs, () => this.#attempt());
  }

  #connected(): void {
    this.#stopTrying();
    this.#connectedAt = performance.now();
    this.#set({ status: 'connected' });
  }

  #disconnected(reason: string): void {
    const { status } = this.state;
    if (reason === 'io client disconnect') {
      // The app has used the socket itself: everything of ours has changed the status before.
      if (status === 'connected') this.close();
      return;
    }
    if (status === 'closed') return;
    if (status === 'connected' && performance.now() - this.#connectedAt > STABLE_MS) this.#failures = 0;
    const ending = this.#ending;
    const returns = ending?.reconnect ?? reason !== 'io server disconnect';
    if (!returns) this.close(new FanfareError('closed', ending?.reason ?? 'The gateway ended the session'));
    else if (ending === undefined) this.#retry(unavailable(`The connection was lost: ${reason}`));
    else {
      // The gateway sets the pace at which its clients are let go, but for one that asked for too much.
      const delayMs = ending.reason === 'rate_limited' ? undefined : Math.random() * RETURN_SPREAD_MS;
      this.#retry(unavailable(`The session ended: ${ending.reason}`), delayMs);
    }
  }

  #failed(error: Error): void {
    if (this.state.status === 'closed') return;
    if (this.#socket.active) {
      // Something on the way swallows WebSockets and does not even refuse them.
      if (error.message === 'timeout') this.#preferOtherTransport();
      this.#retry(unavailable(`No connection: ${error.message}`, error));
      return;
    }
    const refusal = refusalOf(error);
    const isToken = refusal.code.startsWith('token_') && !this.#token.isFixed;
    if (isToken) this.#token.forget();
    if (isToken && this.#wasCached) this.#attempt();
    else if (refusal.retryable || (isToken && refusal.code === 'token_expired')) this.#retry(refusal);
    else this.close(refusal);
  }

  #preferOtherTransport(): void {
    const { opts } = this.#socket.io;
    if (opts.transports !== undefined) opts.transports = opts.transports.slice().reverse();
  }

  #set(state: ConnectionState): void {
    this.state = state;
    for (const listener of this.#listeners) callApp(listener);
  }
}
