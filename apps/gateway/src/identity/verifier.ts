import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError, type TokenClaims } from '@fanfare/protocol';
import { compactVerify } from 'jose';
import { z } from 'zod';
import { ANONYMOUS, isAnonymous, type ReadClaims, shareable } from './claims.ts';
import type { KeyRing, SharedKeys } from './keys/key-ring.ts';
import { PUBLIC_KEY_ALGORITHMS, type PublicKey } from './keys/public-keys.ts';
import { createTokenCache } from './token-cache.ts';

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 4096;

/** How far the clock of an issuer may always be ahead when it says when it issued a token, in ms. */
const IAT_AHEAD_MS = 60_000;

/** Parts of a compact JWS; neither padding nor the other alphabet of base64. */
const COMPACT = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;

/** Keys and addresses that a token names itself (`jwk`, `jku`, `x5u`) are never looked at. */
const tokenHeader = z.object({
  alg: z.string(),
  kid: z.string().optional(),
  // A token of another kind that the same issuer signs, such as a logout token, is no way in.
  typ: z
    .string()
    .regex(/^(application\/)?(at\+)?jwt$/i)
    .optional(),
  crit: z.undefined().optional(),
});

const ruledClaims = z.object({
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
});

const NOTHING_RULED: z.output<typeof ruledClaims> = {};

/** Different headers that are remembered: those of one issuer are mostly the same text. */
const HEADERS = 100;

/**
 * The claims of the token in a `{token}`: a handshake's `auth`, or the payload of a refresh. `exp` is when it ends here,
 * clocks that are apart included. Rejects with
 * `token_missing`, `token_expired` or `token_invalid`, and with `unavailable` while no key could be fetched. The cause is
 * a constant sentence for operators that holds nothing of the token.
 */
export type VerifyToken = (auth: unknown) => Promise<TokenClaims>;

/** What a token has to say, beside being signed with one of the keys. */
export interface TokenRules {
  /** At least one of these has to be in `aud`; an empty list asks for none. */
  readonly audiences: readonly string[];
  /** One of these has to be `iss`; an empty list asks for none. */
  readonly issuers: readonly string[];
  /** How far the clocks of issuer and gateway may be apart. */
  readonly toleranceMs: number;
}

/** What a `{token}` holds; undefined where there is none. */
export const tokenIn = (auth: unknown): unknown => {
  const token = isObject(auth) ? auth.token : undefined;
  return token === '' || token === null ? undefined : token;
};

export function createTokenVerifier(deps: {
  keys: KeyRing;
  rules: TokenRules;
  readClaims: ReadClaims;
}): VerifyToken {
  const { keys, rules, readClaims } = deps;
  const cache = createTokenCache();
  const readHeader = createHeaderReader();
  let { generation } = keys;

  const fromCache = (token: string): TokenClaims | undefined => {
    if (generation !== keys.generation) cache.clear();
    generation = keys.generation;
    return cache.find(token, Date.now() / 1000);
  };
  const verify = async (token: string): Promise<TokenClaims> => {
    const [, header = '', payload = '', signature = ''] =
      COMPACT.exec(token) ?? refuse('not three parts of base64url');
    const { alg, kid } = readHeader(header);
    const shared = keys.shared(alg);
    if (shared !== undefined) {
      checkSecret(`${header}.${payload}`, signature, shared);
      return checkClaims(payload);
    }
    if (!PUBLIC_KEY_ALGORITHMS.has(alg)) return refuse('no key for its algorithm');
    const known = fromCache(token);
    if (known !== undefined) return known;
    const { generation: usedKeys } = keys;
    await checkSignature(token, await keys.find(alg, kid));
    const claims = checkClaims(payload);
    // Keys that were replaced meanwhile may not have been those.
    if (usedKeys === keys.generation) cache.add(token, shareable(claims));
    return claims;
  };
  const checkClaims = (part: string): TokenClaims =>
    readOr('its claims', () => {
      const payload: unknown = parseJson(part);
      if (!isObject(payload)) return refuse('its claims are no object');
      const claims = readClaims(payload);
      claims.exp += rules.toleranceMs / 1000;
      const { nbf, iss, aud } = payload;
      const isPlain = nbf === undefined && iss === undefined && aud === undefined;
      checkRules(isPlain ? NOTHING_RULED : ruledClaims.parse(payload), claims, rules);
      return claims;
    });
  return async (auth) => {
    const token = tokenIn(auth);
    if (token === undefined) throw new AppError('token_missing');
    if (typeof token !== 'string') return refuse('no text');
    if (token.length > MAX_TOKEN_LENGTH) return refuse(`longer than ${MAX_TOKEN_LENGTH} characters`);
    return verify(token);
  };
}

const refuse = (reason: string): never => {
  throw new AppError('token_invalid', undefined, { cause: new Error(`token refused: ${reason}`) });
};

const createHeaderReader = (): ((part: string) => z.output<typeof tokenHeader>) => {
  const known = new Map<string, z.output<typeof tokenHeader>>();
  return (part) => {
    const found = known.get(part);
    if (found !== undefined) return found;
    const header = readOr('its header', () => tokenHeader.parse(parseJson(part)));
    if (known.size >= HEADERS) known.clear();
    known.set(part, header);
    return header;
  };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parseJson = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());

/** Calls `read`; names the claims that are wrong, not what they say. */
const readOr = <Result>(what: string, read: () => Result): Result => {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    const names =
      thrown instanceof z.ZodError ? thrown.issues.map(({ path }) => String(path[0] ?? 'all')) : [];
    return refuse([what, ...new Set(names)].join(' '));
  }
};

const checkSecret = (signed: string, signature: string, { hash, keys }: SharedKeys): void => {
  const given = Buffer.from(signature, 'latin1');
  // The text is compared, not the bytes: some bytes have several texts.
  const isBy = keys.some((key) => {
    const expected = Buffer.from(createHmac(hash, key).update(signed).digest('base64url'), 'latin1');
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  if (!isBy) refuse('its signature');
};

const checkSignature = async (token: string, keys: readonly PublicKey[]): Promise<void> => {
  for (const { key, algorithms } of keys) {
    const isBy = await compactVerify(token, key, { algorithms: [...algorithms] }).then(
      () => true,
      () => false,
    );
    if (isBy) return;
  }
  refuse(keys.length === 0 ? 'no key for its algorithm and kid' : 'its signature');
};

const checkRules = (
  given: z.output<typeof ruledClaims>,
  { sub, exp, iat }: Pick<TokenClaims, 'sub' | 'exp' | 'iat'>,
  rules: TokenRules,
): void => {
  const { audiences, issuers, toleranceMs } = rules;
  // Presence shows nobody of that name.
  if (isAnonymous(sub)) refuse(`its sub begins with "${ANONYMOUS}", as of those without a token`);
  const heldBy = [given.aud ?? []].flat();
  if (audiences.length > 0 && !audiences.some((audience) => heldBy.includes(audience))) refuse('its aud');
  if (issuers.length > 0 && !issuers.includes(given.iss ?? '')) refuse('its iss');
  const now = Date.now() / 1000;
  if (given.nbf !== undefined && given.nbf > now + toleranceMs / 1000) refuse('its nbf is in the future');
  // A revocation of the user takes what was issued before it, which this would never be.
  if (iat !== undefined && iat > now + (toleranceMs + IAT_AHEAD_MS) / 1000) {
    refuse('its iat is in the future, or in milliseconds');
  }
  if (exp <= now) {
    throw new AppError('token_expired', undefined, { cause: new Error('token refused: its exp has passed') });
  }
};
