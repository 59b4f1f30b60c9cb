import { AppError, type TokenClaims, tokenClaims } from '@fanfare/protocol';
import type { Secret } from '@fanfare/runtime';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { GatewayEvents } from '../events.ts';
import type { GatewayNamespace } from './server.ts';

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 4096;

const NO_INFO = Object.freeze({});

const handshakeAuth = z.looseObject({ token: z.unknown().optional() });

/** The claims of a token; throws `token_missing`, `token_expired` or `token_invalid`. */
export type VerifyToken = (auth: unknown) => Promise<TokenClaims>;

/** Checks tokens signed with HS256 and this secret. */
export function createTokenVerifier(secret: Secret): VerifyToken {
  // Jose makes a key of bytes for every token, 20 µs each.
  const key = crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(secret.reveal()),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  );
  return async (auth) => {
    const token = handshakeAuth.safeParse(auth).data?.token ?? '';
    if (token === '') throw new AppError('token_missing');
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw new AppError('token_invalid');
    try {
      const { payload } = await jwtVerify(token, await key, {
        algorithms: ['HS256'],
        requiredClaims: ['sub', 'exp'],
      });
      return tokenClaims.parse(payload);
    } catch (cause) {
      throw new AppError(cause instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid', undefined, {
        cause,
      });
    }
  };
}

/** Lets in whoever has a token for this namespace; others get a `connect_error` with the code in its `data`. */
export function authenticate(namespace: GatewayNamespace, verify: VerifyToken, events: GatewayEvents): void {
  namespace.use((socket, next) => {
    verify(socket.handshake.auth)
      .then((claims) => {
        if (!claims.namespaces.includes(namespace.name))
          throw new AppError('forbidden', 'The token does not open this namespace');
        socket.data.claims = claims;
        socket.data.user = { id: claims.sub, info: claims.info ?? NO_INFO };
        next();
      })
      .catch((thrown: unknown) => {
        const error = AppError.from(thrown);
        events.failed(error, { socket: socket.id, namespace: namespace.name });
        next(Object.assign(new Error(error.message), { data: error.toWire() }));
      });
  });
}
