import { roomToldIn, type Standing } from '@fanfare/cluster';
import { AppError, isRoomName, type TokenClaims, tokenRefresh } from '@fanfare/protocol';
import type { Edge } from '../edge/on.ts';
import { allows } from '../identity/permission.ts';
import type { VerifyToken } from '../identity/verifier.ts';
import type { Sessions } from './sessions.ts';

/** `token:refresh`: the session goes on with a new token, and keeps those of its rooms that the new one allows. */
export function registerSession(deps: {
  edge: Edge;
  verify: VerifyToken;
  sessions: Sessions;
  standing: Standing;
}): void {
  const { edge, verify, sessions, standing } = deps;
  edge.on(tokenRefresh, async (socket, { token }) => {
    const claims = await verify({ token });
    if (claims.sub !== socket.data.user.id)
      throw new AppError('token_invalid', 'The token is of another user: connect anew with it');
    if (!socket.connected) throw new AppError('unavailable', 'The socket is gone');
    const namespace = socket.nsp.name;
    const mayStayNow = (room: string) =>
      mayStay(claims, room) && !standing.isRemoved(claims, { namespace, room: roomToldIn(room) ?? room });
    sessions.refresh(socket, claims, mayStayNow);
    return { expiresAt: claims.exp * 1000 };
  });
}

/** A team's own rooms are a team's own affair. */
const mayStay = (claims: TokenClaims, room: string): boolean => {
  const told = roomToldIn(room);
  if (told !== undefined) return allows(claims, { room: told, action: 'presence' });
  return !isRoomName(room) || allows(claims, { room, action: 'join' });
};
