import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createLogger, createRegistry, listenOn, Secret } from '@fanfare/runtime';
import { nextEvent } from '@fanfare/testing';
import { Server } from 'socket.io';
import { io as connectClient, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { forge, inSeconds, part, withKey, withSecret } from '../../test/forge.ts';
import { createGatewayEvents } from '../events.ts';
import { authenticate } from '../socket/handshake.ts';
import type { GatewayServer } from '../socket/server.ts';
import { openIdentity } from './identity.ts';
import { readJwks, readPem } from './keys/public-keys.ts';

const SECRET = 'a-secret-of-43-characters-is-enough-for-256';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const strangerJwk = stranger.publicKey.export({ format: 'jwk' });

/** The name of every user here, so that no part of a token can hide in the log. */
const CANARY = 'canary-7b1f';
const good = {
  sub: CANARY,
  exp: inSeconds(3600),
  iss: 'https://id.example',
  aud: ['other', 'fanfare'],
  rooms: { 'project:*': ['join'] },
};
const HS256 = { alg: 'HS256' };
const signed = withSecret(SECRET);
const byRsa = withKey(rsa.privateKey, 'RS256');

/** A token that is right in all but these claims. */
const claiming = (claims: Record<string, unknown>) => forge(HS256, { ...good, ...claims }, signed);
const headed = (header: Record<string, unknown>) => forge({ ...HS256, ...header }, good, signed);
const valid = forge(HS256, good, signed);
const [head = '', body = '', signature = ''] = valid.split('.');
/** The same 32 bytes in another text: the last of 43 characters has two bits to spare. */
const respelled =
  signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1);

let url: string;
let asked = 0;
const lines: string[] = [];
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const log = createLogger({ level: 'trace', bindings: {} }, { write: (line) => void lines.push(line) });
  const events = createGatewayEvents(log, createRegistry({ node: 'n1', worker: '0' }));
  const jwks = JSON.stringify({ keys: [{ ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec-1' }] });
  const identity = stack.use(
    openIdentity(
      {
        secrets: [new Secret(SECRET)],
        publicKeys: [...readPem(PEM), ...readJwks(jwks)],
        jwksUrl: undefined,
        tokens: { audiences: ['fanfare'], issuers: ['https://id.example'], toleranceMs: 0 },
        roomRules: {},
        anonymous: false,
      },
      events.tokenKeys,
    ),
  );
  const http = createServer((_request, response) => {
    asked += 1;
    response.end(JSON.stringify({ keys: [strangerJwk] }));
  });
  const io: GatewayServer = stack.adopt(new Server(http), (server) => server.close());
  authenticate(io.of('/'), identity.admit, events);
  url = `http://127.0.0.1:${await listenOn(http, { host: '127.0.0.1', port: 0, setting: 'test' })}`;
});
afterAll(() => stack.disposeAsync());

const connect = (auth: Record<string, unknown>, query: Record<string, string> = {}) =>
  stack.adopt(
    connectClient(url, { auth, query, transports: ['websocket'], forceNew: true, reconnection: false }),
    (socket: Socket) => void socket.disconnect(),
  );

/** Every text of the log so far that has any part of this token. */
const logged = (token: string): string[] => {
  const parts = [token, CANARY, ...token.split('.').filter((own) => own.length > 20)];
  return lines.filter((line) => parts.some((text) => line.includes(text)));
};

const strangerSigned = withKey(stranger.privateKey, 'RS256');
const longText = 'x'.repeat(300);

const BAD: readonly [what: string, token: unknown, code?: string][] = [
  ['no token', undefined, 'token_missing'],
  ['null', null, 'token_missing'],
  ['an empty token', '', 'token_missing'],
  ['a number', 42],
  ['an object', { token: valid }],
  ['a list', [valid]],
  ['a word', 'abc'],
  ['a token without dots', head + body + signature],
  ['a token without a signature', `${head}.${body}`],
  ['a token with an empty signature', `${head}.${body}.`],
  ['four parts', `${valid}.${signature}`],
  ['five parts', `${valid}.${signature}.${signature}`],
  ['white space around it', ` ${valid}`],
  ['a line end behind it', `${valid}\n`],
  ['padding', `${valid}=`],
  ['the other alphabet of base64', `${head}.${body}.${'+/'.repeat(21)}A`],
  ['a signature in another spelling', `${head}.${body}.${respelled}`],
  ['a signature cut short', valid.slice(0, -2)],
  ['a payload that was changed', `${head}.${part({ ...good, sub: 'admin' })}.${signature}`],
  ['the algorithm none', forge({ alg: 'none' }, good, () => '')],
  ['the algorithm none with a signature', forge({ alg: 'none' }, good, signed)],
  ['the algorithm nOnE', forge({ alg: 'nOnE' }, good, signed)],
  ['no algorithm', forge({}, good, signed)],
  ['an algorithm in lower case', forge({ alg: 'hs256' }, good, signed)],
  ['an algorithm of a prototype', forge({ alg: 'constructor' }, good, signed)],
  ['HS256 with the public key in PEM as its secret', forge(HS256, good, withSecret(PEM))],
  [
    'HS256 with the public key in DER as its secret',
    forge(HS256, good, withSecret(rsa.publicKey.export({ type: 'spki', format: 'der' }))),
  ],
  ['RS256 with the secret', forge({ alg: 'RS256' }, good, signed)],
  ['HS256 with an RSA signature', forge(HS256, good, byRsa)],
  ['another secret', forge(HS256, good, withSecret('another-secret-as-long-as-the-right-one-is'))],
  ['HS512 with a secret too short for it', forge({ alg: 'HS512' }, good, withSecret(SECRET, 512))],
  ['another RSA key', forge({ alg: 'RS256' }, good, strangerSigned)],
  ['RS384 signed as RS256', forge({ alg: 'RS384' }, good, byRsa)],
  ['an unknown kid', forge({ alg: 'ES256', kid: 'ec-2' }, good, withKey(ec.privateKey, 'ES256'))],
  ['ES384 with a P-256 key', forge({ alg: 'ES384', kid: 'ec-1' }, good, withKey(ec.privateKey, 'ES384'))],
  ['a kid that is a path', forge({ ...HS256, kid: '../../../../dev/null' }, good, withSecret(''))],
  ['a kid that is no text', forge({ ...HS256, kid: 7 }, good, signed)],
  ['a key of its own', forge({ alg: 'RS256', jwk: strangerJwk }, good, strangerSigned)],
  ['the address of a key set', () => forge({ alg: 'RS256', jku: url }, good, strangerSigned)],
  ['the address of a certificate', () => forge({ alg: 'RS256', x5u: url }, good, strangerSigned)],
  ['a critical header', headed({ crit: ['exp'] })],
  ['an unencoded payload', headed({ b64: false, crit: ['b64'] })],
  ['the type of a logout token', headed({ typ: 'logout+jwt' })],
  ['a header that is no JSON', forge('{', good, signed)],
  ['a header that is a list', forge([HS256], good, signed)],
  ['a payload that is no JSON', forge(HS256, '{', signed)],
  ['a payload that is a list', forge(HS256, [good], signed)],
  ['a payload that is null', forge(HS256, null, signed)],
  ['a payload that is a text', forge(HS256, '"alice"', signed)],
  ['an exp that has passed', claiming({ exp: inSeconds(-1) }), 'token_expired'],
  ['an exp of 1970', claiming({ exp: 0 }), 'token_expired'],
  ['a forged token that has expired', forge(HS256, { ...good, exp: 1 }, withSecret('x'.repeat(43)))],
  ['no exp', claiming({ exp: undefined })],
  ['an exp as text', claiming({ exp: String(good.exp) })],
  ['an exp in ms', claiming({ exp: good.exp * 1000 })],
  ['an nbf in the future', claiming({ nbf: inSeconds(60) })],
  ['an nbf as text', claiming({ nbf: '1' })],
  ['an iat in the future', claiming({ iat: inSeconds(120) })],
  ['an iat in ms', claiming({ iat: Date.now() })],
  ['no aud', claiming({ aud: undefined })],
  ['another aud', claiming({ aud: 'other' })],
  ['an aud that begins alike', claiming({ aud: ['fanfare2'] })],
  ['no iss', claiming({ iss: undefined })],
  ['another iss', claiming({ iss: 'https://id.example.evil.test' })],
  ['no sub', claiming({ sub: undefined })],
  ['an empty sub', claiming({ sub: '' })],
  ['a sub that is a number', claiming({ sub: 7 })],
  ['a sub of 300 characters', claiming({ sub: longText })],
  ['a sub with half a character', forge(HS256, JSON.stringify({ ...good, sub: '\ud800' }), signed)],
  ['the sub of somebody without a token', claiming({ sub: 'anonymous:eve' })],
  ['rooms as a list', claiming({ rooms: ['project:*'] })],
  ['rooms that are null', claiming({ rooms: null })],
  ['a room pattern that matches nothing', claiming({ rooms: { 'project*': ['join'] } })],
  ['an unknown action', claiming({ rooms: { 'project:*': ['admin'] } })],
  ['namespaces as text', claiming({ namespaces: '/' })],
  ['users that are no text', claiming({ users: [7] })],
  ['an info over 1 KB', claiming({ info: { about: longText.repeat(4) } })],
  ['an info that is a text', claiming({ info: 'alice' })],
  ['a token over 4 KB', claiming({ info: { about: longText.repeat(14) } })],
];

it.each(BAD)(
  '%s is refused, and nothing of it is logged (row 18)',
  async (_what, given, code = 'token_invalid') => {
    const token: unknown = typeof given === 'function' ? given() : given;
    const [error] = await nextEvent(connect({ token }), 'connect_error');
    expect(error).toMatchObject({ data: { code, retryable: false } });
    expect(lines.at(-1)).toContain(`"code":"${code}"`);
    expect(typeof token === 'string' && token.length > 3 ? logged(token) : []).toEqual([]);
  },
);

it('the token that all of these are made of is good, and is not logged either', async () => {
  await nextEvent(connect({ token: valid }), 'connect');
  expect(logged(valid)).toEqual([]);
});

it('a token in the URL is not looked at', async () => {
  const [error] = await nextEvent(connect({}, { token: valid }), 'connect_error');
  expect(error).toMatchObject({ data: { code: 'token_missing' } });
});

it('no address that a token names is asked', () => {
  expect(asked).toBe(0);
});
