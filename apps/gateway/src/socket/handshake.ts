import { AppError, type TokenClaims, tokenRefresh } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import type { VerifyToken } from '../identity/verifier.ts';
import { refusal } from './refusal.ts';
import type { GatewayNamespace, GatewaySocket } from './server.ts';

const NO_INFO = Object.freeze({});

/** When the token of a socket expires, in ms since 1970. */
export const expiryOf = ({ data }: GatewaySocket): number => data.claims.exp * 1000;

/** Why a socket may not ask this now: after the end of its token it may only bring another one. */
export const expiredRefusal = (socket: GatewaySocket, event: string): AppError | undefined =>
  event !== tokenRefresh.name && expiryOf(socket) <= Date.now() ? new AppError('token_expired') : undefined;

/** From now on the socket is who these claims say, and may do what they say. */
export const identify = ({ data }: GatewaySocket, claims: TokenClaims): void => {
  data.claims = claims;
  data.user = { id: claims.sub, info: claims.info ?? NO_INFO };
};

/** Lets in whoever `admit` knows and this namespace is open to; others get a `connect_error` with the code in its `data`. */
export function authenticate(namespace: GatewayNamespace, admit: VerifyToken, events: GatewayEvents): void {
  namespace.use((socket, next) => {
    admit(socket.handshake.auth)
      .then((claims) => {
        identify(socket, claims);
        next();
      })
      .catch((thrown: unknown) => next(refusal(socket, thrown, events)));
  });
}
