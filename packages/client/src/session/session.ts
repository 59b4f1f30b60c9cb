import type { Socket } from 'socket.io-client';
import { request } from '../ask.ts';
import { readSessionNotice } from '../contract.ts';
import { FanfareError } from '../error.ts';
import { type Connection, isFinal } from './connection.ts';
import { type BackoffOptions, backoff, Timer } from './timing.ts';
import { refreshDelay, type TokenSource } from './token.ts';

const REFRESH_TIMEOUT_MS = 5000;
/** How long a gateway that said it would close the connection may take, in ms. */
const CLOSE_MS = 5000;

export interface SessionOptions {
  socket: Socket;
  token: TokenSource;
  connection: Connection;
  backoff: BackoffOptions;
  /** A gateway has taken a new token for the session under way. */
  onRefreshed: () => void;
}

/** Keeps a session's token fresh, and moves to another node when the gateway says that this one is going away. */
export const tendSession = (options: SessionOptions): void => {
  const { socket, token, connection } = options;
  const refreshTimer = new Timer();
  const moveTimer = new Timer();
  let failures = 0;
  /** The refresh under way; what becomes of an earlier session's is not for this one. */
  let current: object | undefined;

  const plan = (used: string | undefined): void => {
    const delay = token.isFixed || used === undefined ? undefined : refreshDelay(used);
    if (delay !== undefined) refreshTimer.set(delay, refresh);
  };
  const later = (): void => {
    refreshTimer.set(backoff(failures, options.backoff), refresh);
    failures += 1;
  };

  const offer = async (fresh: string): Promise<void> => {
    try {
      await request(socket, {
        name: 'token:refresh',
        payload: { token: fresh },
        timeoutMs: REFRESH_TIMEOUT_MS,
      });
      failures = 0;
      plan(fresh);
      options.onRefreshed();
    } catch (error) {
      if (!socket.connected) return;
      if (error instanceof FanfareError && error.retryable) later();
      // A gateway that takes no token for a session under way takes it for the next one.
      else connection.renew();
    }
  };

  const refresh = (): void => {
    if (current !== undefined || token.isFixed) return;
    const own = {};
    current = own;
    const isCurrent = () => current === own;
    const fetched = token.renew().then(
      (fresh) => (isCurrent() ? offer(fresh) : undefined),
      (cause: unknown) => {
        if (!isCurrent()) return;
        if (isFinal(cause)) connection.close(cause);
        else later();
      },
    );
    void fetched.finally(() => {
      if (isCurrent()) current = undefined;
    });
  };

  socket.on('connect', () => {
    failures = 0;
    plan(token.current);
  });
  socket.on('disconnect', () => {
    current = undefined;
    refreshTimer.clear();
    moveTimer.clear();
  });
  socket.on('session:expiring', refresh);
  socket.on('session:closing', (given: unknown) => {
    const { inMs, reason, reconnect } = readSessionNotice(given);
    connection.expectEnd({ reason, reconnect });
    // 0 is the gateway's word that it closes this connection now, once it has answered what is under way.
    if (reconnect) moveTimer.set(inMs > 0 ? Math.random() * inMs : CLOSE_MS, () => connection.renew());
  });
};
