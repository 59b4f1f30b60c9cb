import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A key that tokens can be verified with, and the algorithms that it is for. */
export interface PublicKey {
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EDWARDS = ['EdDSA', 'Ed25519'];
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** Every algorithm that some public key may be for. */
export const PUBLIC_KEY_ALGORITHMS: ReadonlySet<string> = new Set([
  ...RSA,
  ...Object.values(CURVES),
  ...EDWARDS,
]);

/** Most keys of one set that are looked at. */
const MAX_KEYS = 100;
const MIN_RSA_BITS = 2048;

const algorithmsOf = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] => {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa') return modulusLength >= MIN_RSA_BITS ? RSA : [];
  if (asymmetricKeyType === 'ed25519') return EDWARDS;
  const ofCurve = CURVES[namedCurve];
  return asymmetricKeyType === 'ec' && ofCurve !== undefined ? [ofCurve] : [];
};

/** The keys of a text with public keys or certificates in PEM; throws a sentence for any other. */
export const readPem = (text: string): PublicKey[] => {
  const blocks = text.match(/-----BEGIN [A-Z0-9 ]+-----[^-]+-----END [A-Z0-9 ]+-----/g) ?? [];
  if (blocks.some((block) => block.includes('PRIVATE'))) {
    throw new Error('holds a private key: a gateway needs the public keys only');
  }
  const keys = blocks.map((block) => {
    const key = createPublicKey(block);
    return { kid: undefined, algorithms: algorithmsOf(key), key };
  });
  if (keys.length === 0) throw new Error('holds no public key in PEM');
  if (keys.some(({ algorithms }) => algorithms.length === 0)) throw new Error(UNSUPPORTED);
  return keys;
};

const UNSUPPORTED = `holds a key that is neither RSA (at least ${MIN_RSA_BITS} bits), nor P-256, P-384, P-521 or Ed25519`;

const jwk = z.looseObject({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  // A set with the private part has been published by mistake: nobody knows who signs with it.
  d: z.undefined().optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((uses) => uses.includes('verify'))
    .optional(),
  alg: z.string().optional(),
  kid: z.string().optional(),
});

const keySet = z.object({ keys: z.array(z.unknown()) });

const readJwk = (value: unknown): PublicKey[] => {
  const { data } = jwk.safeParse(value);
  if (data === undefined) return [];
  try {
    const { d: _, ...open } = data;
    const key = createPublicKey({ key: open, format: 'jwk' });
    const algorithms = algorithmsOf(key).filter((name) => data.alg === undefined || name === data.alg);
    return algorithms.length === 0 ? [] : [{ kid: data.kid, algorithms, key }];
  } catch {
    return [];
  }
};

/** The keys of a JWKS that can verify tokens, leaving out all others; throws a sentence where there is none. */
export const readJwks = (text: string): PublicKey[] => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error('is no JSON');
  }
  const { data } = keySet.safeParse(parsed);
  if (data === undefined) throw new Error('is no JWKS: expected {"keys": […]}');
  const keys = data.keys.slice(0, MAX_KEYS).flatMap(readJwk);
  if (keys.length === 0) throw new Error('holds no public key that can verify tokens');
  return keys;
};

const fileOf = (read: (text: string) => PublicKey[]) =>
  z.string().transform((path, context): PublicKey[] => {
    try {
      return read(readFileSync(path, 'utf8'));
    } catch (thrown) {
      const isUnreadable = thrown instanceof Error && 'syscall' in thrown && 'code' in thrown;
      const message = isUnreadable
        ? `cannot be read (${thrown.code})`
        : thrown instanceof Error && !('code' in thrown)
          ? thrown.message
          : 'holds a key that cannot be read';
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  });

/** The path of a file with public keys or certificates in PEM, one after the other. */
export const pemFile = fileOf(readPem);
/** The path of a file with a JWKS. */
export const jwksFile = fileOf(readJwks);
