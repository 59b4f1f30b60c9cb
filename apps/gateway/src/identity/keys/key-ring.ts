import { createSecretKey, type KeyObject } from 'node:crypto';
import { AppError } from '@fanfare/protocol';
import { Secret } from '@fanfare/runtime';
import { z } from 'zod';
import type { PublicKey } from './public-keys.ts';
import { createRemoteKeys, type RemoteObserver, type RemoteTiming } from './remote-keys.ts';

/** Most keys that one token is tried with: a signature check costs 30 to 150 µs. */
const MAX_TRIES = 8;
const MIN_SECRET_LENGTH = 32;

/** Secrets separated by commas or white space, so that two are valid at once while one is replaced. */
export const tokenSecrets = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
  .refine((parts) => parts.length > 0 && parts.every((part) => part.length >= MIN_SECRET_LENGTH), {
    error: `expected at least ${MIN_SECRET_LENGTH} characters, and as many for each of several secrets; commas and white space separate them`,
  })
  .transform((parts) => parts.map((part) => new Secret(part)))
  .meta({ secret: true });

/** Where the keys come from; empty lists and no URL leave no token valid. */
export interface KeySources {
  readonly secrets: readonly Secret[];
  readonly publicKeys: readonly PublicKey[];
  readonly jwksUrl?: string | undefined;
}

/** A hash of the HMAC family and the keys that are long enough for it. */
export interface SharedKeys {
  readonly hash: string;
  readonly keys: readonly KeyObject[];
}

/** All keys of a gateway. A secret is never tried as a public key, nor a public key as a secret. */
export interface KeyRing extends Disposable {
  /** Keys for `HS256`, `HS384` or `HS512`; undefined for any other algorithm, and where no secret is long enough. */
  shared(algorithm: string): SharedKeys | undefined;
  /** Public keys for an algorithm, those of this id first; rejects with `unavailable` where none could be fetched yet. */
  find(algorithm: string, kid: string | undefined): Promise<readonly PublicKey[]>;
  /** Replaced whenever keys are: what was verified with the former ones has to be verified again. */
  readonly generation: object;
}

export function createKeyRing(
  { secrets, publicKeys, jwksUrl }: KeySources,
  observer: RemoteObserver,
  timing?: Partial<RemoteTiming>,
): KeyRing {
  let generation = {};
  const changed: RemoteObserver = {
    ...observer,
    keysChanged: (count) => {
      generation = {};
      observer.keysChanged(count);
    },
  };
  const remote = jwksUrl === undefined ? undefined : createRemoteKeys(jwksUrl, changed, timing);
  void remote?.refresh();

  const bySize = (hash: string, bits: number): [string, SharedKeys] => {
    const bytes = secrets
      .map((secret) => Buffer.from(secret.reveal()))
      .filter((own) => own.length * 8 >= bits);
    return [`HS${bits}`, { hash, keys: bytes.map((own) => createSecretKey(own)) }];
  };
  const shared = new Map(
    [bySize('sha256', 256), bySize('sha384', 384), bySize('sha512', 512)].filter(
      ([, own]) => own.keys.length > 0,
    ),
  );

  const select = (algorithm: string, kid: string | undefined) =>
    [...publicKeys, ...(remote?.keys ?? [])].filter(
      (own) =>
        own.algorithms.includes(algorithm) && (kid === undefined || own.kid === undefined || own.kid === kid),
    );
  return {
    shared: (algorithm) => shared.get(algorithm),
    find: async (algorithm, kid) => {
      let found = select(algorithm, kid);
      const isKnown = kid === undefined ? found.length > 0 : found.some((own) => own.kid === kid);
      if (remote !== undefined && !isKnown) {
        await remote.refresh();
        found = select(algorithm, kid);
        if (found.length === 0 && remote.keys === undefined) throw new AppError('unavailable');
      }
      remote?.refreshOld();
      return found.sort((a, b) => Number(b.kid === kid) - Number(a.kid === kid)).slice(0, MAX_TRIES);
    },
    get generation() {
      return generation;
    },
    [Symbol.dispose]: () => remote?.[Symbol.dispose](),
  };
}
