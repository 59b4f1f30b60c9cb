import { AppError, isAllowed, type RoomAction, type TokenClaims } from '@fanfare/protocol';
import type { GatewaySocket } from '../socket/server.ts';

/** What someone wants to do in a room; `event` is the name of what is published. */
export interface RoomRequest {
  readonly room: string;
  readonly action: RoomAction;
  readonly event?: string;
}

/** Whether somebody with these claims may do this. */
export const allows = (claims: TokenClaims, request: RoomRequest): boolean =>
  isAllowed(claims.rooms, request);

/** Throws `forbidden` unless the socket's claims allow the action in the room. */
export const authorize = (socket: GatewaySocket, request: RoomRequest): void => {
  if (!allows(socket.data.claims, request)) {
    throw new AppError('forbidden', `The token does not allow ${request.action} in ${request.room}`);
  }
};
