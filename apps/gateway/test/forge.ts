import { createHmac, type KeyObject, sign } from 'node:crypto';

/** How a token is signed; what is returned is its third part. */
export type Signer = (signed: string) => string;

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token of any header and payload, right or wrong; a text stands as it is. */
export const forge = (header: unknown, payload: unknown, signer: Signer): string => {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${signer(signed)}`;
};

export const withSecret =
  (secret: string | Buffer, bits = 256): Signer =>
  (signed) =>
    createHmac(`sha${bits}`, secret).update(signed).digest('base64url');

/** Signs as `alg` says; the key has to be of its kind. */
export const withKey =
  (key: KeyObject, alg: string): Signer =>
  (signed) => {
    const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
    const own = alg.startsWith('PS')
      ? { key, padding: 6, saltLength: -1 }
      : { key, dsaEncoding: 'ieee-p1363' as const };
    return sign(hash, Buffer.from(signed), own).toString('base64url');
  };

/** Seconds from now. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
