import { nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode({
    FANFARE_SESSION_EXPIRING_MS: '1000',
    FANFARE_SESSION_GRACE_MS: '1000',
    FANFARE_NAMESPACES: '/,/chat',
  });
});
afterAll(() => node[Symbol.asyncDispose]());

const room = 'project:1';

/** A member of the room whose token lives for two to three seconds more. */
const memberFor = async (user: string, expiresIn = '3s'): Promise<Socket> => {
  const token = await signToken({ sub: user, rooms: { 'project:*': ['join', 'publish'] } }, { expiresIn });
  const socket = node.client(token, { reconnection: false });
  await nextEvent(socket, 'connect');
  expect(await ask(socket, 'room:join', { room })).toMatchObject({ ok: true });
  return socket;
};

describe('a token that ends', () => {
  it('is told of before, closes all rooms at its end, and the connection after the grace (G6)', async () => {
    const [alice, bob] = [await memberFor('alice'), await memberFor('bob', '1h')];
    const endsAt = Date.now() + 3000;
    const heard: unknown[] = [];
    alice.on('told', (data) => heard.push(data));
    const [left, closing, gone] = [
      nextEvent(alice, 'room:left', { timeoutMs: 5000 }),
      nextEvent(alice, 'session:closing', { timeoutMs: 7000 }),
      nextEvent(alice, 'disconnect', { timeoutMs: 7000 }),
    ];
    const [expiring] = await nextEvent(alice, 'session:expiring', { timeoutMs: 5000 });
    expect(expiring).toEqual({ inMs: expect.any(Number) });

    expect(await left).toEqual([{ room, reason: 'token_expired' }]);
    expect(Date.now()).toBeLessThan(endsAt + 2000);
    await ask(bob, 'room:publish', { room, event: 'told', data: 'too late' });
    for (const event of ['room:join', 'room:publish', 'no:such:listener']) {
      const answer = await ask(alice, event, { room });
      if (event !== 'no:such:listener')
        expect(answer).toMatchObject({ ok: false, error: { code: 'token_expired' } });
    }
    expect(await closing).toEqual([{ reason: 'token_expired', reconnect: true, inMs: 0 }]);
    expect((await gone)[0]).toBe('transport close');
    expect(heard).toEqual([]);
  });

  it('can be replaced in the grace, and the client joins again by itself', async () => {
    const alice = await memberFor('alice', '2s');
    await nextEvent(alice, 'room:left', { timeoutMs: 5000 });
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
    const alice = await memberFor('alice', '2s');
    const told: unknown[] = [];
    alice.on('room:left', (notice) => told.push(notice));
    await nextEvent(alice, 'session:expiring', { timeoutMs: 5000 });
    await ask(alice, 'token:refresh', { token: await signToken({ sub: 'alice' }, { expiresIn: '4s' }) });
    await nextEvent(alice, 'session:expiring', { timeoutMs: 5000 });
    expect(told).toEqual([]);
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
