import { createHmac } from 'node:crypto';
import { everyRoom, type TokenClaims } from '@fanfare/protocol';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const HEADER = part({ alg: 'HS256', typ: 'JWT' });

/** A HS256 token for `sub`, good for an hour, that allows everything in every room. */
export const signToken = (secret: string, sub: string): string => {
  const now = Math.floor(Date.now() / 1_000);
  const claims: TokenClaims = { sub, iat: now, exp: now + 3_600, namespaces: ['/'], rooms: everyRoom };
  const body = `${HEADER}.${part(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
};
