import { randomBytes } from 'node:crypto';
import type { TokenClaims } from '@fanfare/protocol';
import { ANONYMOUS } from './claims.ts';
import { tokenIn, type VerifyToken } from './verifier.ts';

/** Nothing ends the session of somebody without a token: the last second of the year 9999. */
const NEVER = 253_402_300_799;

const NAMESPACES = ['/'];

/**
 * Lets in whoever comes without a token, to `/` and with what everybody may do. For a handshake only: a refresh without
 * a token is a mistake. A token that is there has to be valid.
 *
 * Rooms of users, idempotency and `meta.from` need a name for everybody. It is a new one for each connect, so that no
 * two of them are one user, and as long as nobody can guess it.
 */
export const admitAnonymous =
  (verify: VerifyToken, rooms: TokenClaims['rooms']): VerifyToken =>
  async (auth) => {
    if (tokenIn(auth) !== undefined) return verify(auth);
    const sub = `${ANONYMOUS}${randomBytes(15).toString('base64url')}`;
    return { sub, exp: NEVER, namespaces: NAMESPACES, rooms };
  };
