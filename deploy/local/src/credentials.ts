import { randomBytes } from 'node:crypto';
import { everyRoom, type TokenClaims } from '@fanfare/protocol';
import { SignJWT } from 'jose';

const DAY_SECONDS = 24 * 60 * 60;

/** What a token says where it differs from the default: the user "you", every room, user and namespace, a day. */
export interface TokenRequest {
  sub?: string;
  namespaces?: readonly string[];
  rooms?: TokenClaims['rooms'];
  users?: readonly string[];
  info?: Record<string, unknown>;
  /** Seconds since 1970. */
  exp?: number;
  /** Seconds since 1970; default none, so that any revocation or removal concerns it. */
  iat?: number;
  jti?: string;
}

/** What a started cluster accepts; random at each start unless it is given. */
export interface Credentials {
  /** Key of `POST /v1/publish`. */
  readonly apiKey: string;
  readonly tokenSecret: string;
  /** A token for a socket. */
  issueToken(request?: TokenRequest): Promise<string>;
}

export const createCredentials = (
  namespaces: readonly string[],
  tokenSecret = randomBytes(32).toString('base64url'),
): Credentials => {
  const key = new TextEncoder().encode(tokenSecret);
  return {
    apiKey: randomBytes(24).toString('base64url'),
    tokenSecret,
    issueToken: (request = {}) => {
      const exp = Math.floor(Date.now() / 1000) + DAY_SECONDS;
      const all = { sub: 'you', namespaces, rooms: everyRoom, users: ['*'], exp, ...request };
      return new SignJWT(all).setProtectedHeader({ alg: 'HS256' }).sign(key);
    },
  };
};
