import { nextEvent } from '@fanfare/testing';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

const HANDLERS = new URL('../../test/fixtures/broadcasts.js', import.meta.url).pathname;

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ FANFARE_NAMESPACES: '/,/chat,/board,/dashboard,/admin' });
});
afterAll(() => node[Symbol.asyncDispose]());

const unsigned = (): string => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode({ sub: 'mallory', exp: 9_999_999_999 })}.`;
};
const withoutUser = (): Promise<string> =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode('x'.repeat(32)));

describe('the handshake', () => {
  it.each<[what: string, token: () => Promise<string | undefined> | string | undefined, code: string]>([
    ['no token', () => undefined, 'token_missing'],
    ['an empty token', () => '', 'token_missing'],
    ['something that is no token', () => 'abc', 'token_invalid'],
    ['an unsigned token', unsigned, 'token_invalid'],
    [
      'a forged token',
      () => signToken({}, { secret: 'another secret, as long as the right one' }),
      'token_invalid',
    ],
    ['a token of nobody', withoutUser, 'token_invalid'],
    [
      'a token over 4 KB',
      () => signToken({ sub: 'x'.repeat(200), rooms: { [`a:${'b'.repeat(60)}`]: Array(600).fill('join') } }),
      'token_invalid',
    ],
    ['an expired token', () => signToken({}, { expiresIn: '1 minute ago' }), 'token_expired'],
  ])('refuses %s with a code in connect_error (row 18)', async (_what, token, code) => {
    const [error] = await nextEvent(node.client(await token()), 'connect_error');
    expect(error).toMatchObject({ data: { code, retryable: false, message: expect.any(String) } });
  });

  it('knows the user of a valid token (row 18)', async () => {
    const socket = await node.connect('alice');
    await ask(socket, 'room:join', { room: 'project:1' });
    const heard = nextEvent(socket, 'task:created');
    await ask(socket, 'room:publish', { room: 'project:1', event: 'task:created', data: 1 });
    expect((await heard)[1]).toMatchObject({ from: 'alice' });
  });
});

describe('namespaces', () => {
  it('keep events and rooms of one from another (row 21)', async () => {
    const namespaces = ['/chat', '/board'];
    const token = await signToken({ namespaces });
    const [chat, board] = namespaces.map((namespace) => node.client(token, { namespace }));
    if (!chat || !board) throw new Error('two clients expected');
    for (const socket of [chat, board]) await ask(socket, 'room:join', { room: 'project:1' });
    const wrong: unknown[] = [];
    board.onAny((event) => wrong.push(event));
    const heard = nextEvent(chat, 'message:sent');
    await ask(chat, 'room:publish', { room: 'project:1', event: 'message:sent', data: 1 });
    await heard;
    await ask(board, 'room:leave', { room: 'project:1' });
    expect(wrong).toEqual([]);
  });

  it.each([
    ['only', {}],
    ['only, with handlers of a team too', { FANFARE_HANDLERS: HANDLERS }],
  ])('are those of the configuration %s', async (_, env) => {
    await using chatOnly = await startNode({ FANFARE_NAMESPACES: '/chat', ...env });
    const token = await signToken({ namespaces: ['/', '/chat'] });
    for (const namespace of ['/', '/admin']) {
      for (const own of [token, undefined]) {
        const [error] = await nextEvent(chatOnly.client(own, { namespace }), 'connect_error');
        expect(error).toMatchObject({ message: 'Invalid namespace', data: { code: 'not_found' } });
      }
    }
    await nextEvent(chatOnly.client(token, { namespace: '/chat' }), 'connect');
  });

  it('are opened by the token only (row 21)', async () => {
    const [error] = await nextEvent(
      node.client(await signToken({ namespaces: ['/chat'] }), { namespace: '/admin' }),
      'connect_error',
    );
    expect(error).toMatchObject({ data: { code: 'forbidden' } });
  });

  it('cannot be created by a client', async () => {
    const token = await signToken({ namespaces: ['/of-my-own'] });
    const [error] = await nextEvent(node.client(token, { namespace: '/of-my-own' }), 'connect_error');
    expect(error).toMatchObject({
      message: 'Invalid namespace',
      data: { code: 'not_found', message: 'Invalid namespace', retryable: false },
    });
  });
});
