import { AppError } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import type { GatewaySocket } from './server.ts';

/** What middleware hands on when a socket may not come in: the client gets a `connect_error` with the code in its `data`. */
export const refusal = (socket: GatewaySocket, thrown: unknown, events: GatewayEvents): Error => {
  const error = AppError.from(thrown);
  events.failed(error, {
    socket: socket.id,
    namespace: socket.nsp.name,
    ...(error.cause instanceof Error && { reason: error.cause.message }),
  });
  return Object.assign(new Error(error.message), { data: error.toWire() });
};
