import { hash, timingSafeEqual } from 'node:crypto';
import { AppError } from '@fanfare/protocol';
import type { ApiKey } from '../config.ts';

const BEARER = /^Bearer +(\S+) *$/i;

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/**
 * Checks an `Authorization` header and returns the name of its key; throws `api_key_invalid`. Digests have one length
 * and all of them are compared, so the time taken says nothing about any key.
 */
export function createKeyCheck(keys: readonly ApiKey[]): (header: string | undefined) => string {
  const known = keys.map(({ name, key }) => ({ name, digest: digest(key.reveal()) }));
  return (header) => {
    const given = digest(BEARER.exec(header ?? '')?.[1] ?? '');
    const [match] = known.filter((candidate) => timingSafeEqual(candidate.digest, given));
    if (match === undefined) throw new AppError('api_key_invalid');
    return match.name;
  };
}
