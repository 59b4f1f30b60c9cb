import { randomUUID } from 'node:crypto';
import { AppError, type EventMeta, isAllowed, type RoomAction } from '@fanfare/protocol';
import type { GatewaySocket } from './server.ts';

/** Throws `forbidden` unless the socket's token allows the action in the room. */
export const authorize = (
  socket: GatewaySocket,
  request: { room: string; action: RoomAction; event?: string },
): void => {
  if (!isAllowed(socket.data.claims.rooms, request)) {
    throw new AppError('forbidden', `The token does not allow ${request.action} in ${request.room}`);
  }
};

/** What stands beside an event that a socket sent. */
export const metaOf = (socket: GatewaySocket, room: string, id: string = randomUUID()): EventMeta => ({
  room,
  id,
  at: Date.now(),
  from: socket.data.user.id,
});

/** Who a socket is as a publisher: idempotency ids belong to its user. */
export const publisherOf = (socket: GatewaySocket): string =>
  `user:${encodeURIComponent(socket.data.user.id)}`;
