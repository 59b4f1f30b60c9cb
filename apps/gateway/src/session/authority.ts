import type { Standing } from '@fanfare/cluster';
import { AppError } from '@fanfare/protocol';
import { authorize, type RoomRequest } from '../identity/permission.ts';
import type { VerifyToken } from '../identity/verifier.ts';
import type { GatewaySocket } from '../socket/server.ts';

/** Throws `forbidden` unless a socket may do this in a room. */
export type Authorize = (socket: GatewaySocket, request: RoomRequest) => void;

/** What its token allows a socket, but for rooms that its user was removed from after the token was issued. */
export const createAuthorize =
  (standing: Standing): Authorize =>
  (socket, request) => {
    const place = { namespace: socket.nsp.name, room: request.room };
    if (standing.isRemoved(socket.data.claims, place))
      throw new AppError('forbidden', `The user was removed from ${request.room}: it takes a newer token`);
    authorize(socket, request);
  };

/** Takes tokens that open a namespace and were not revoked there; throws `forbidden` and `token_revoked` for others. */
export const verifyFor =
  (namespace: string, verify: VerifyToken, standing: Standing): VerifyToken =>
  async (auth) => {
    const claims = await verify(auth);
    if (!claims.namespaces.includes(namespace))
      throw new AppError('forbidden', 'The token does not open this namespace');
    if (standing.isRevoked(claims, namespace)) throw new AppError('token_revoked');
    return claims;
  };
