import type { TokenClaims } from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode({
    FANFARE_SESSION_EXPIRING_MS: '1000',
    FANFARE_SESSION_GRACE_MS: '2000',
    FANFARE_NAMESPACES: '/,/chat',
  });
});
afterAll(() => node[Symbol.asyncDispose]());

const room = 'project:1';

const heardBy = new WeakMap<Socket, [event: string, data: unknown][]>();

/** From now on all that a socket is told is kept. */
const listenTo = (socket: Socket): Socket => {
  const heard: [string, unknown][] = [];
  heardBy.set(socket, heard);
  socket.onAny((event, data) => heard.push([event, data]));
  socket.on('disconnect', (reason) => heard.push(['disconnect', reason]));
  return socket;
};

/** A member of the room, whose token lives for three to four seconds more; all that it is told is kept from the start. */
const memberFor = async (user: string, expiresIn = '4s', claims: { iat?: number } = {}): Promise<Socket> => {
  const rooms: TokenClaims['rooms'] = { 'project:*': ['join', 'publish'] };
  const token = await signToken({ sub: user, rooms, ...claims }, { expiresIn });
  const socket = listenTo(node.client(token, { reconnection: false }));
  await nextEvent(socket, 'connect');
  expect(await ask(socket, 'room:join', { room })).toMatchObject({ ok: true });
  return socket;
};

const allHeard = (socket: Socket, event: string): unknown[] =>
  (heardBy.get(socket) ?? []).filter(([name]) => name === event).map(([, data]) => data);

/** What the member is told with its `count`-th such event, whether it has come already or not. */
const told = (socket: Socket, event: string, count = 1): Promise<unknown> =>
  eventually(
    () => {
      const heard = allHeard(socket, event);
      expect(heard.length, event).toBeGreaterThanOrEqual(count);
      return heard[count - 1];
    },
    { timeoutMs: 8000 },
  );

describe('a token that ends', () => {
  it('is told of before, closes all rooms at its end, and the connection after the grace (G6)', async () => {
    const bob = await memberFor('bob', '1h');
    const alice = await memberFor('alice');
    expect(await told(alice, 'session:expiring')).toEqual({ inMs: expect.any(Number) });

    expect(await told(alice, 'room:left')).toEqual({ room, reason: 'token_expired' });
    const published = await ask(bob, 'room:publish', { room, event: 'told', data: 'too late' });
    expect(published).toMatchObject({ ok: true });
    for (const event of ['room:join', 'room:publish'])
      expect(await ask(alice, event, { room })).toMatchObject({
        ok: false,
        error: { code: 'token_expired' },
      });
    await ask(alice, 'no:such:listener', { room });
    expect(await told(alice, 'session:closing')).toEqual({
      reason: 'token_expired',
      reconnect: true,
      inMs: 0,
    });
    expect(await told(alice, 'disconnect')).toBe('transport close');
    expect(allHeard(alice, 'told')).toEqual([]);
  });

  it('is no different when it was issued by a clock that is ahead (G6)', async () => {
    const iat = Math.floor(Date.now() / 1000) + 30;
    const alice = await memberFor('alice', undefined, { iat });
    expect(await told(alice, 'room:left')).toEqual({ room, reason: 'token_expired' });
  });

  it.each([
    ['lasts longer', false],
    ['is the same', true],
  ])('ends the connection, and tells a namespace of it whose token %s', async (_, isTogether) => {
    const claims = { sub: 'erin', namespaces: ['/', '/chat'] };
    const token = await signToken(claims, { expiresIn: '2s' });
    const otherToken = isTogether ? token : await signToken(claims);
    const other = listenTo(node.client(otherToken, { reconnection: false }));
    await nextEvent(other, 'connect');
    const chat = listenTo(other.io.socket('/chat', { auth: { token } }));
    expect(await told(chat, 'session:closing')).toMatchObject({ reason: 'token_expired', reconnect: true });
    for (const socket of [chat, other]) expect(await told(socket, 'disconnect')).toBe('transport close');
    expect(allHeard(other, 'session:closing')).toEqual(allHeard(chat, 'session:closing'));
  });

  it('can be replaced in the grace, and the client joins again by itself', async () => {
    const alice = await memberFor('alice');
    await told(alice, 'room:left');
    const token = await signToken({ sub: 'alice' });
    const answer = await ask(alice, 'token:refresh', { token });
    expect(answer).toMatchObject({ ok: true, data: { expiresAt: expect.any(Number) } });
    expect(await ask(alice, 'room:join', { room })).toMatchObject({ ok: true });
    const heard = nextEvent(alice, 'told');
    await ask(alice, 'room:publish', { room, event: 'told', data: 1 });
    expect((await heard)[0]).toBe(1);
  });
});

describe('a token that is brought for a session under way', () => {
  it('keeps the rooms that it allows, and closes the others at once', async () => {
    const alice = await memberFor('alice', '1h');
    await ask(alice, 'room:join', { room: 'project:2' });
    const left = nextEvent(alice, 'room:left');
    const token = await signToken({ sub: 'alice', rooms: { [room]: ['join', 'publish'] } });
    await ask(alice, 'token:refresh', { token });
    expect(await left).toEqual([{ room: 'project:2', reason: 'forbidden' }]);
    const heard = nextEvent(alice, 'told');
    await ask(alice, 'room:publish', { room, event: 'told', data: 1 });
    expect((await heard)[0]).toBe(1);
    expect(await ask(alice, 'room:join', { room: 'project:2' })).toMatchObject({ ok: false });
  });

  it('carries the session beyond the end of the one before', async () => {
    const alice = await memberFor('alice');
    await told(alice, 'session:expiring');
    await ask(alice, 'token:refresh', { token: await signToken({ sub: 'alice' }, { expiresIn: '5s' }) });
    await told(alice, 'session:expiring', 2);
    expect(allHeard(alice, 'room:left')).toEqual([]);
  });

  it.each([
    ['of another user', { sub: 'mallory' }, {}, 'token_invalid'],
    ['for another namespace', { sub: 'alice', namespaces: ['/chat'] }, {}, 'forbidden'],
    ['that has expired', { sub: 'alice' }, { expiresIn: '-1m' }, 'token_expired'],
    [
      'that is forged',
      { sub: 'alice' },
      { secret: 'another secret, long enough for HS256' },
      'token_invalid',
    ],
  ])('%s is refused and changes nothing', async (_, claims, options, code) => {
    const alice = await memberFor('alice', '1h');
    const token = await signToken(claims, options);
    expect(await ask(alice, 'token:refresh', { token })).toMatchObject({ ok: false, error: { code } });
    expect(await ask(alice, 'room:join', { room })).toMatchObject({ ok: true });
  });
});
