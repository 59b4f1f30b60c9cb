import { randomUUID } from 'node:crypto';
import type { EventMeta } from '@fanfare/protocol';
import type { GatewaySocket } from '../socket/server.ts';

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
