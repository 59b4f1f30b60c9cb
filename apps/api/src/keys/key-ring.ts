import { timingSafeEqual } from 'node:crypto';
import { AppError } from '@fanfare/protocol';
import { type Bucket, createBucket } from './bucket.ts';
import { type ApiKey, digestOf } from './key-list.ts';
import { covers, type ScopeAction } from './scopes.ts';

/** Who asks, and what its key allows. */
export interface Caller {
  /** Name of the API key. */
  readonly name: string;
  /** Throws `forbidden`, naming the scope that is missing, unless the key may do this, in this room where one is concerned. */
  permit(action: ScopeAction, room?: string): void;
  /** Throws `rate_limited` when the key has no units left. A request costs one by itself. */
  spend(units: number): void;
}

const BEARER = /^Bearer +(\S+) *$/i;

/** The keys that are valid now. */
export interface KeyRing {
  /** Whose key an `Authorization` header holds; throws `api_key_invalid`. */
  identify(header: string | undefined): Caller;
  /** Other keys are valid from now on; a name keeps what it has spent. */
  replace(keys: readonly ApiKey[]): void;
}

/** `perSecond` units for each name, shared by all keys of that name; undefined does not limit. */
export function createKeyRing(options: {
  keys: readonly ApiKey[];
  perSecond: number | undefined;
  now?: () => number;
}): KeyRing {
  const { perSecond, now = () => performance.now() } = options;
  const buckets = new Map<string, Bucket>();
  let known: { digest: Buffer; caller: Caller }[] = [];

  const callerOf = ({ name, scopes }: ApiKey): Caller => ({
    name,
    permit: (action, room) => {
      if (covers(scopes, action, room)) return;
      const missing = room === undefined ? action : `${action}:${room}`;
      throw new AppError(
        'forbidden',
        `The API key "${name}" lacks the scope "${missing}", or one that covers it`,
      );
    },
    spend: (units) => {
      const retryAfterMs = buckets.get(name)?.take(units) ?? 0;
      if (retryAfterMs === 0) return;
      throw new AppError('rate_limited', `The API key "${name}" has used up its ${perSecond} a second`, {
        retryAfterMs,
      });
    },
  });
  const replace = (keys: readonly ApiKey[]): void => {
    known = keys.map((key) => ({ digest: Buffer.from(key.digest.reveal(), 'hex'), caller: callerOf(key) }));
    const names = new Set(keys.map(({ name }) => name));
    for (const name of buckets.keys()) if (!names.has(name)) buckets.delete(name);
    if (perSecond === undefined) return;
    for (const name of names) if (!buckets.has(name)) buckets.set(name, createBucket(perSecond, now));
  };
  replace(options.keys);
  return {
    replace,
    identify: (header) => {
      const given = Buffer.from(digestOf(BEARER.exec(header ?? '')?.[1] ?? ''), 'hex');
      // Digests have one length and all of them are compared: the time taken says nothing about any key.
      const [match] = known.filter(({ digest }) => timingSafeEqual(digest, given));
      if (match === undefined) throw new AppError('api_key_invalid');
      return match.caller;
    },
  };
}
