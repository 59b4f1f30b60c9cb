import { eventually, nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startPair, type TestNode } from '../../test/start-node.ts';

let stack: AsyncDisposableStack;
let a: TestNode;
let b: TestNode;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  ({ a, b } = stack.use(await startPair()));
});
afterAll(() => stack.disposeAsync());

const hug = (user: string, data: unknown = { text: 'hello' }) => ({ user, event: 'user:hugged', data });
const DONE = { ok: true, data: {} };
const OFFLINE = { ok: false, error: { code: 'user_offline', retryable: false } };

let rooms = 0;
/** A client whom the other node reaches: a node hears of its users, of whom many may come at once, before it answers a join. */
const arrive = async (node: TestNode, user: string): Promise<Socket> => {
  const socket = await node.connect(user);
  rooms += 1;
  await ask(socket, 'room:join', { room: `project:arrival-${rooms}` });
  return socket;
};

/** Every event that a socket is told. */
const recordOf = (socket: Socket): unknown[] => {
  const heard: unknown[] = [];
  socket.onAny((event, data) => heard.push([event, data]));
  return heard;
};

/** A node tells one socket in order, so a later answer proves that nothing is under way on it. */
const settle = async (sockets: readonly Socket[]): Promise<void> => {
  for (const socket of sockets) await ask(socket, 'room:leave', { room: 'project:none' });
};

/** Once a signal from one node has come to the other, so has what was sent on the same connection before it. */
const settleBetween = async (from: Socket, to: Socket): Promise<void> => {
  await ask(to, 'room:join', { room: 'project:settle' });
  const heard = nextEvent(to, 'settled');
  await ask(from, 'room:signal', { room: 'project:settle', event: 'settled', data: 1 });
  await heard;
  await ask(to, 'room:leave', { room: 'project:settle' });
};

describe('what one user sends to another', () => {
  it('is heard by all sockets of both but the sending one, on every node, and by nobody else (rows 15, 36)', async () => {
    const giver = await a.connect('giver');
    const heardByGiver = recordOf(giver);
    const others = [await a.connect('giver'), await arrive(b, 'giver')];
    const receivers = [await a.connect('receiver'), await arrive(b, 'receiver')];
    const strangers = [await a.connect('carol'), await b.connect('carol')];
    const wrong = strangers.map(recordOf);
    const heard = [...others, ...receivers].map((socket) => nextEvent(socket, 'user:hugged'));

    expect(await ask(giver, 'user:send', hug('receiver'))).toEqual(DONE);

    for (const [data, meta] of await Promise.all(heard)) {
      expect(data).toEqual({ text: 'hello' });
      expect(meta).toEqual({ from: 'giver', to: 'receiver', id: expect.any(String), at: expect.any(Number) });
    }
    await settle([giver, ...strangers]);
    expect(heardByGiver).toEqual([]);
    await settleBetween(giver, strangers[1] ?? giver);
    expect(wrong.flat().filter((event) => !JSON.stringify(event).includes('settled'))).toEqual([]);
  });

  it('is heard once by each of the other sockets of a user who sends to themselves', async () => {
    const [one, same, far] = [await a.connect('me'), await a.connect('me'), await arrive(b, 'me')];
    const heard = [recordOf(one), recordOf(same), recordOf(far)];
    expect(await ask(one, 'user:send', hug('me', 1))).toEqual(DONE);
    await eventually(() => expect(heard[2]).toEqual([['user:hugged', 1]]));
    await settle([one, same, far]);
    expect(heard).toEqual([[], [['user:hugged', 1]], [['user:hugged', 1]]]);
  });

  it('carries binary data to another node (row 24)', async () => {
    const [giver, receiver] = [await a.connect('giver'), await arrive(b, 'painter')];
    const bytes = Buffer.from([0, 1, 254, 255]);
    const heard = nextEvent(receiver, 'user:hugged');
    expect(await ask(giver, 'user:send', hug('painter', { bytes }))).toEqual(DONE);
    expect((await heard)[0]).toEqual({ bytes });
  });

  it.each(['🤗', 'x'.repeat(256), '~', 'a:b', '*', '#', 'inbox:me', '../other', ' ', '__proto__'])(
    'reaches the user %j and no other',
    async (user) => {
      const [giver, receiver] = [await a.connect('giver'), await arrive(b, user)];
      const heard = nextEvent(receiver, 'user:hugged');
      expect(await ask(giver, 'user:send', hug(user))).toEqual(DONE);
      expect((await heard)[1]).toMatchObject({ to: user });
      expect(await ask(giver, 'user:send', hug(`${user.slice(0, 255)}?`))).toMatchObject(OFFLINE);
    },
  );

  it('is "user_offline" for a user who never was there, and once their last socket is gone (row 36)', async () => {
    const giver = await a.connect('giver');
    expect(await ask(giver, 'user:send', hug('nobody'))).toMatchObject(OFFLINE);
    for (const node of [a, b]) {
      const receiver = await arrive(node, 'guest');
      expect(await ask(giver, 'user:send', hug('guest'))).toEqual(DONE);
      receiver.disconnect();
      await eventually(async () =>
        expect(await ask(giver, 'user:send', hug('guest'))).toMatchObject(OFFLINE),
      );
    }
  });
});

describe('what is refused', () => {
  it.each([
    [['bob'], 'bob', true],
    [['bob'], 'bobby', false],
    [['team-*'], 'team-7', true],
    [['team-*'], 'tea', false],
    [['*'], 'anybody', true],
    [[], 'bob', false],
  ])('with the claim users: %j sending to %s is allowed: %s', async (users, user, isAllowed) => {
    const giver = a.client(await signToken({ sub: 'giver', users }));
    const code = isAllowed ? 'user_offline' : 'forbidden';
    expect(await ask(giver, 'user:send', hug(user))).toMatchObject({ ok: false, error: { code } });
  });

  it.each([
    [undefined, 'invalid_payload'],
    [{ user: '', event: 'user:hugged', data: 1 }, 'invalid_payload'],
    [{ user: 7, event: 'user:hugged', data: 1 }, 'invalid_payload'],
    [{ user: 'x'.repeat(257), event: 'user:hugged', data: 1 }, 'invalid_payload'],
    [{ user: 'half \ud800', event: 'user:hugged', data: 1 }, 'invalid_payload'],
    [{ user: 'bob', event: 'disconnect', data: 1 }, 'invalid_payload'],
    [{ user: 'bob', event: 'user:send', data: 1 }, 'invalid_payload'],
    [{ user: 'bob', event: 'user:hugged', data: 1, room: 'project:1' }, 'invalid_payload'],
    [hug('bob', JSON.parse('['.repeat(200) + ']'.repeat(200))), 'invalid_payload'],
  ])('%j', async (payload, code) => {
    const giver = await a.connect('giver');
    expect(await ask(giver, 'user:send', payload)).toMatchObject({ ok: false, error: { code } });
  });
});
