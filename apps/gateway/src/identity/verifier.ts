import { AppError, type TokenClaims, tokenClaims } from '@fanfare/protocol';
import type { Secret } from '@fanfare/runtime';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 4096;

const handshakeAuth = z.looseObject({ token: z.unknown().optional() });

/**
 * The claims of the token in a `{token}`: a handshake's `auth`, or the payload of a refresh. Rejects with
 * `token_missing`, `token_expired` or `token_invalid`.
 */
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
