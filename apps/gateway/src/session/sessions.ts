import { type TokenClaims, userRoom } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { expiryOf, identify } from '../socket/handshake.ts';
import type { GatewaySocket } from '../socket/server.ts';
import { endSession, leaveRoom } from './closing.ts';
import { Deadlines } from './deadlines.ts';

export interface SessionTimes {
  /** How long before its end a session is told of it, in ms; never more than a quarter of the life of its token. */
  expiringMs: number;
  /** How long a connection waits for a new token after the end, in ms. */
  graceMs: number;
}

/** The lives of all sessions of a process, from the handshake to the end of the token and beyond. */
export interface Sessions extends Disposable {
  begin(socket: GatewaySocket): void;
  end(socket: GatewaySocket): void;
  /** Goes on with another token of the same user; `mayStay` says which of its rooms it keeps. */
  refresh(socket: GatewaySocket, claims: TokenClaims, mayStay: (room: string) => boolean): void;
}

export function createSessions(times: SessionTimes, events: GatewayEvents): Sessions {
  const deadlines = new Deadlines<GatewaySocket>((socket) => act(socket));

  const plan = (socket: GatewaySocket, atMs: number): void => {
    socket.data.dueSecond = deadlines.add(socket, atMs);
  };
  const planExpiring = (socket: GatewaySocket): void => {
    const { exp, iat } = socket.data.claims;
    const lifeMs = exp * 1000 - (iat === undefined ? Date.now() : iat * 1000);
    const tellAt = exp - Math.min(times.expiringMs, Math.max(lifeMs, 0) / 4) / 1000;
    plan(socket, Math.floor(tellAt) * 1000);
  };
  const act = (socket: GatewaySocket): void => {
    if (!socket.connected) return;
    const leftMs = expiryOf(socket) - Date.now();
    if (leftMs > 0) {
      socket.emit('session:expiring', { inMs: leftMs });
      plan(socket, expiryOf(socket));
      return;
    }
    for (const room of socket.rooms) if (room !== socket.id) leaveRoom(socket, room, 'token_expired');
    if (leftMs > -times.graceMs) {
      events.sessionExpired();
      plan(socket, expiryOf(socket) + times.graceMs);
    } else {
      events.sessionClosed(socket.id, 'token_expired');
      endSession(socket, { reason: 'token_expired', reconnect: true });
    }
  };
  const end = (socket: GatewaySocket): void => {
    if (socket.data.dueSecond !== undefined) deadlines.remove(socket, socket.data.dueSecond);
  };
  return {
    begin: planExpiring,
    end,
    refresh: (socket, claims, mayStay) => {
      const isSameEnd = claims.exp === socket.data.claims.exp;
      end(socket);
      identify(socket, claims);
      for (const room of socket.rooms) if (!mayStay(room)) leaveRoom(socket, room, 'forbidden');
      void socket.join(userRoom(claims.sub));
      events.sessionRefreshed();
      // Who brings the same end again has no later one, and would be asked for it every second.
      if (isSameEnd) plan(socket, expiryOf(socket));
      else planExpiring(socket);
    },
    [Symbol.dispose]: () => deadlines[Symbol.dispose](),
  };
}
