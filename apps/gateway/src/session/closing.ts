import { toldRoom } from '@fanfare/cluster';
import { isRoomName } from '@fanfare/protocol';
import { propertyOf } from '../socket/innards.ts';
import type { GatewaySocket } from '../socket/server.ts';

/** What a client is told before its session ends. */
export interface Closing {
  /** `draining`, `token_expired`, `token_revoked`, `disconnected`, `rate_limited`; a word for logs and metrics. */
  reason: string;
  /** Whether it is to come back: with `false` a stock client does not do so by itself. */
  reconnect: boolean;
}

/** The session ends now. */
export const tellClosing = (socket: GatewaySocket, closing: Closing): void => {
  socket.emit('session:closing', { ...closing, inMs: 0 });
};

/**
 * Tells a client that its session ends, and ends it. Who is to come back loses the transport, as a stock client comes back
 * by itself from nothing else: with all namespaces of the connection, which are told. Who is not is disconnected by the
 * server, and loses the connection with its last namespace.
 */
export const endSession = (socket: GatewaySocket, closing: Closing): void => {
  if (closing.reconnect) {
    for (const own of socketsBeside(socket)) tellClosing(own, closing);
    socket.conn.close();
    return;
  }
  tellClosing(socket, closing);
  socket.disconnect();
  if (socketsBeside(socket).length === 0) socket.conn.close();
};

/** The sockets of one connection, in all of its namespaces; private in socket.io 4.8.4. */
export const socketsBeside = (socket: GatewaySocket): GatewaySocket[] => {
  const sockets = propertyOf(socket.client, 'sockets');
  return sockets instanceof Map ? [...sockets.values()] : [];
};

/** Takes a socket out of a room and tells it so. Rooms of a team's own are left without a word. */
export const leaveRoom = (socket: GatewaySocket, room: string, reason: string): void => {
  void socket.leave(room);
  if (isRoomName(room)) socket.emit('room:left', { room: toldRoom(room), reason });
};
