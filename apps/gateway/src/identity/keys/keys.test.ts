import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenOn, Secret } from '@fanfare/runtime';
import { eventually } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { forge, inSeconds, withKey, withSecret } from '../../../test/forge.ts';
import { createClaimsReader } from '../claims.ts';
import { createTokenVerifier } from '../verifier.ts';
import { createKeyRing, type KeySources, tokenSecrets } from './key-ring.ts';
import { jwksFile, type PublicKey, pemFile, readJwks, readPem } from './public-keys.ts';
import type { RemoteTiming } from './remote-keys.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curves = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
};
const ed = generateKeyPairSync('ed25519');

const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const jwkOf = (key: KeyObject, more: Record<string, unknown> = {}) => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const setOf = (...keys: unknown[]): string => JSON.stringify({ keys });
const claims = () => ({ sub: 'alice', exp: inSeconds(3600) });

/** A verifier over these keys, with what it observed. */
const open = (sources: Partial<KeySources>, timing?: Partial<RemoteTiming>) => {
  const failures: string[] = [];
  const changes: number[] = [];
  const observer = {
    keysChanged: (keys: number) => void changes.push(keys),
    keysFailed: (reason: string) => void failures.push(reason),
  };
  const keys = createKeyRing({ secrets: [], publicKeys: [], ...sources }, observer, timing);
  const check = createTokenVerifier({
    keys,
    rules: { audiences: [], issuers: [], toleranceMs: 0 },
    readClaims: createClaimsReader({}),
  });
  /** `ok`, or the code of the refusal. */
  const verify = (token: string): Promise<string> =>
    check({ token }).then(
      () => 'ok',
      (error) => error.code,
    );
  return { verify, check, failures, changes, [Symbol.dispose]: () => keys[Symbol.dispose]() };
};

/** A JWKS endpoint that answers what it is told to. */
const startEndpoint = async (answer: (response: ServerResponse) => void) => {
  const own = { answer, asked: 0, url: '' };
  const server = createServer((_request, response) => {
    own.asked += 1;
    own.answer(response);
  });
  own.url = `http://127.0.0.1:${await listenOn(server, { host: '127.0.0.1', port: 0, setting: 'test' })}/jwks`;
  return Object.assign(own, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
};
const answering = (text: string) => (response: ServerResponse) => void response.end(text);

const es256 = (kid: string, pair = curves.ES256) =>
  forge({ alg: 'ES256', kid }, claims(), withKey(pair.privateKey, 'ES256'));

describe('a token', () => {
  const secret = 'x'.repeat(64);
  const everyKey = [rsa, ...Object.values(curves), ed].map(({ publicKey }) => publicKey);
  const fromPem = () => readPem(everyKey.map(pemOf).join('\n'));
  const fromJwks = () => readJwks(setOf(...everyKey.map((key, i) => jwkOf(key, { kid: `key-${i}` }))));

  it.each<[alg: string, key: KeyObject]>([
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const).map(
      (alg) => [alg, rsa.privateKey] as [string, KeyObject],
    ),
    ['ES256', curves.ES256.privateKey],
    ['ES384', curves.ES384.privateKey],
    ['ES512', curves.ES512.privateKey],
    ['EdDSA', ed.privateKey],
  ])(
    'signed as %s is good with the key from PEM and from a JWKS, with or without a kid, and with no other',
    async (alg, key) => {
      using pem = open({ publicKeys: fromPem() });
      using jwks = open({ publicKeys: fromJwks() });
      const token = forge({ alg, typ: 'JWT' }, claims(), withKey(key, alg));
      expect([await pem.verify(token), await jwks.verify(token)]).toEqual(['ok', 'ok']);
      const i = ['RS', 'PS'].includes(alg.slice(0, 2))
        ? 0
        : ['ES256', 'ES384', 'ES512', 'EdDSA'].indexOf(alg) + 1;
      const named = (kid: string) => forge({ alg, kid }, claims(), withKey(key, alg));
      expect([await jwks.verify(named(`key-${i}`)), await jwks.verify(named('key-9'))]).toEqual([
        'ok',
        'token_invalid',
      ]);
      using others = open({ secrets: [new Secret(secret)], publicKeys: fromPem().toSpliced(i, 1) });
      expect(await others.verify(token)).toBe('token_invalid');
    },
  );

  it.each([256, 384, 512])('signed as HS%i is good with a secret that is long enough', async (bits) => {
    const verified = async (length: number) => {
      const own = 'x'.repeat(length);
      using keys = open({ secrets: [new Secret(own)] });
      return keys.verify(forge({ alg: `HS${bits}` }, claims(), withSecret(own, bits)));
    };
    expect([await verified(bits / 8), await verified(bits / 8 - 1)]).toEqual(['ok', 'token_invalid']);
  });

  it('is good with either of two secrets while one is replaced by the other', async () => {
    const [former, next] = ['former-'.repeat(5), 'next-'.repeat(7)];
    const tokens = [former, next].map((own) => forge({ alg: 'HS256' }, claims(), withSecret(own)));
    const verified = async (setting: string) => {
      using keys = open({ secrets: tokenSecrets.parse(setting) });
      return Promise.all(tokens.map(keys.verify));
    };
    expect(await verified(former)).toEqual(['ok', 'token_invalid']);
    expect(await verified(`${former}, ${next}`)).toEqual(['ok', 'ok']);
    expect(await verified(`${next}\n${former}\n`)).toEqual(['ok', 'ok']);
    expect(await verified(next)).toEqual(['token_invalid', 'ok']);
  });

  it('that was verified is known until it ends, and its claims cannot be changed', async () => {
    using keys = open({ publicKeys: fromPem() });
    const token = es256('any');
    const first = await keys.check({ token });
    expect(await keys.check({ token })).toBe(first);
    expect(() => Object.assign(first.rooms, { '**': ['join'] })).toThrow(TypeError);
  });
});

describe('keys in a file', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const secp = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;

  it.each([
    ['nothing', '', 'holds no public key in PEM'],
    [
      'a private key',
      rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'holds a private key',
    ],
    ['a key of 1024 bits', pemOf(small), 'neither RSA (at least 2048 bits)'],
    ['a curve of no algorithm', pemOf(secp), 'neither RSA'],
    ['no key', pemOf(ed.publicKey).replace('MCow', 'MCox'), 'holds a key that cannot be read'],
  ])('in PEM with %s is refused in one sentence', async (_what, text, sentence) => {
    const folder = await mkdtemp(join(tmpdir(), 'fanfare-keys-'));
    await using cleanUp = new AsyncDisposableStack();
    cleanUp.defer(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'keys'), text);
    expect(pemFile.safeParse(join(folder, 'keys')).error?.issues[0]?.message).toContain(sentence);
  });

  it('that cannot be read says why', () => {
    expect(jwksFile.safeParse('/no/such/file').error?.issues[0]?.message).toBe('cannot be read (ENOENT)');
  });

  it.each([
    ['a symmetric key', setOf({ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }), 'holds no public key'],
    ['a private key', setOf(rsa.privateKey.export({ format: 'jwk' })), 'holds no public key'],
    ['a key for encryption', setOf(jwkOf(rsa.publicKey, { use: 'enc' })), 'holds no public key'],
    [
      'a key that is not for its algorithm',
      setOf(jwkOf(rsa.publicKey, { alg: 'HS256' })),
      'holds no public key',
    ],
    ['half a key', setOf({ kty: 'RSA', e: 'AQAB' }), 'holds no public key'],
    ['no set', '[]', 'is no JWKS'],
    ['no JSON', '<html>', 'is no JSON'],
  ])('in a JWKS with %s only is refused', (_what, text, sentence) => {
    expect(() => readJwks(text)).toThrow(sentence);
  });

  it('in a JWKS are those that can verify, for the algorithm that they name', () => {
    const text = setOf(
      { kty: 'oct', k: 'c2VjcmV0' },
      7,
      jwkOf(rsa.publicKey, { kid: 'a', alg: 'RS256', use: 'sig' }),
    );
    const expected: Partial<PublicKey>[] = [{ kid: 'a', algorithms: ['RS256'] }];
    expect(readJwks(text)).toMatchObject(expected);
  });
});

describe('keys at an address', () => {
  const later = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const former = setOf(jwkOf(curves.ES256.publicKey, { kid: 'former' }));
  const both = setOf(
    jwkOf(curves.ES256.publicKey, { kid: 'former' }),
    jwkOf(later.publicKey, { kid: 'later' }),
  );
  const replaced = setOf(jwkOf(later.publicKey, { kid: 'later' }));

  it('are fetched once for many tokens, and again for a kid that is unknown', async () => {
    await using endpoint = await startEndpoint(answering(former));
    using keys = open({ jwksUrl: endpoint.url }, { cooldownMs: 0 });
    expect(await Promise.all(Array.from({ length: 20 }, () => keys.verify(es256('former'))))).toEqual(
      Array(20).fill('ok'),
    );
    expect(endpoint.asked).toBe(1);
    endpoint.answer = answering(both);
    expect(await keys.verify(es256('later', later))).toBe('ok');
    expect(await keys.verify(es256('former'))).toBe('ok');
    expect([endpoint.asked, keys.changes]).toEqual([2, [1, 2]]);
  });

  it('are asked for no more often than allowed, however many kids are made up', async () => {
    await using endpoint = await startEndpoint(answering(former));
    using keys = open({ jwksUrl: endpoint.url }, { cooldownMs: 60_000 });
    expect(await keys.verify(es256('former'))).toBe('ok');
    const madeUp = Array.from({ length: 50 }, (_, i) => keys.verify(es256(`made-up-${i}`)));
    expect(await Promise.all(madeUp)).toEqual(Array(50).fill('token_invalid'));
    expect(endpoint.asked).toBe(1);
  });

  it('that were taken away verify nothing from then on, not even a token that they did before', async () => {
    await using endpoint = await startEndpoint(answering(former));
    using keys = open({ jwksUrl: endpoint.url }, { cooldownMs: 0 });
    const token = es256('former');
    expect(await keys.verify(token)).toBe('ok');
    endpoint.answer = answering(replaced);
    expect(await keys.verify(es256('later', later))).toBe('ok');
    expect(await keys.verify(token)).toBe('token_invalid');
  });

  it('are fetched anew when they are old, beside the tokens', async () => {
    await using endpoint = await startEndpoint(answering(former));
    using keys = open({ jwksUrl: endpoint.url }, { cooldownMs: 0, maxAgeMs: 0 });
    expect(await keys.verify(es256('former'))).toBe('ok');
    endpoint.answer = answering(both);
    await eventually(async () => {
      await keys.verify(es256('former'));
      expect(keys.changes).toEqual([1, 2]);
    });
  });

  it.each<[what: string, answer: (response: ServerResponse) => void, reason: string]>([
    ['fails', (response) => void response.writeHead(503).end(), 'answered 503'],
    ['answers no keys', answering('{"keys":[]}'), 'holds no public key'],
    ['answers a page', answering('<html>'), 'is no JSON'],
    [
      'answers without an end',
      (response) => void response.write('x'.repeat(300 * 1024)),
      'more than 262144 bytes',
    ],
    ['never answers', () => {}, 'timeout'],
    ['sends elsewhere', (response) => void response.writeHead(302, { location: '/other' }).end(), 'redirect'],
    ['hangs up', (response) => void response.destroy(), 'other side closed'],
  ])('stay in use while the endpoint %s', async (_what, answer, reason) => {
    await using endpoint = await startEndpoint(answering(former));
    using keys = open({ jwksUrl: endpoint.url }, { cooldownMs: 0, timeoutMs: 300 });
    expect(await keys.verify(es256('former'))).toBe('ok');
    endpoint.answer = answer;
    expect(await keys.verify(es256('later', later))).toBe('token_invalid');
    expect(await keys.verify(es256('former'))).toBe('ok');
    expect(keys.failures).toEqual([expect.stringContaining(reason)]);
  });

  it('that could not be fetched yet make every token "unavailable", and are fetched when the endpoint comes', async () => {
    await using endpoint = await startEndpoint((response) => void response.writeHead(503).end());
    using keys = open({ jwksUrl: endpoint.url }, { retryMs: 0 });
    expect(await keys.verify(es256('former'))).toBe('unavailable');
    endpoint.answer = answering(former);
    expect(await keys.verify(es256('former'))).toBe('ok');
  });

  it('are joined by those of files, which need no endpoint', async () => {
    await using endpoint = await startEndpoint((response) => void response.writeHead(503).end());
    using keys = open({ jwksUrl: endpoint.url, publicKeys: readPem(pemOf(rsa.publicKey)) });
    expect(
      await keys.verify(forge({ alg: 'RS256', kid: 'x' }, claims(), withKey(rsa.privateKey, 'RS256'))),
    ).toBe('ok');
  });
});
