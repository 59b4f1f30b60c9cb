import { inboxRoom } from '@fanfare/cluster';
import { AppError, INBOX, isAllowed, isInbox, type RoomAction, type TokenClaims } from '@fanfare/protocol';
import type { GatewaySocket } from '../socket/server.ts';

/** What someone wants to do in a room; `event` is the name of what is published. */
export interface RoomRequest {
  readonly room: string;
  readonly action: RoomAction;
  readonly event?: string;
}

/**
 * Whether somebody with these claims may do this; the rules for everybody are part of them. Of inboxes, their own is there
 * to be joined, whatever the claims say.
 */
export const allows = (claims: TokenClaims, request: RoomRequest): boolean =>
  isInbox(request.room)
    ? request.action === 'join' && request.room === inboxRoom(claims.sub)
    : isAllowed(claims.rooms, request);

/** Throws `forbidden` unless the socket's claims allow the action in the room. */
export const authorize = (socket: GatewaySocket, request: RoomRequest): void => {
  if (!allows(socket.data.claims, request)) {
    throw new AppError('forbidden', `The token does not allow ${request.action} in ${request.room}`);
  }
};

/** The room that a socket means: its own inbox has a name that no client knows. Throws `forbidden` for any other inbox. */
export const ownRoom = (socket: GatewaySocket, room: string): string => {
  if (room === INBOX) return inboxRoom(socket.data.user.id);
  if (isInbox(room)) throw new AppError('forbidden', `The only inbox that is yours to join is ${INBOX}`);
  return room;
};
