import { nextEvent } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode({
    FANFARE_ANONYMOUS: 'true',
    FANFARE_ROOM_RULES: 'public:*=join+signal, news:**=join',
    FANFARE_NAMESPACES: '/,/chat',
  });
});
afterAll(() => node[Symbol.asyncDispose]());

const connect = async () => {
  const socket = node.client(undefined);
  await nextEvent(socket, 'connect');
  return socket;
};
const join = (room: string) => ['room:join', { room }] as const;
const forbidden = { ok: false, error: { code: 'forbidden' } };

describe('a client without a token, where they are let in', () => {
  it('may do what the rules for everybody say and nothing else (G6)', async () => {
    const visitor = await connect();
    expect(await ask(visitor, ...join('public:lobby'))).toMatchObject({ ok: true });
    expect(await ask(visitor, ...join('news:sport:1'))).toMatchObject({ ok: true });
    const publication = { room: 'public:lobby', event: 'told', data: 1 };
    expect(await ask(visitor, 'room:signal', publication)).toMatchObject({ ok: true });
    expect(await ask(visitor, 'room:publish', publication)).toMatchObject(forbidden);
    expect(await ask(visitor, 'room:signal', { ...publication, room: 'news:1' })).toMatchObject(forbidden);
    expect(await ask(visitor, ...join('project:1'))).toMatchObject(forbidden);
    expect(await ask(visitor, 'user:send', { user: 'alice', event: 'told', data: 1 })).toMatchObject(
      forbidden,
    );
  });

  it('has a name of its own that is no other’s', async () => {
    const [one, other, listener] = [await connect(), await connect(), await connect()];
    await ask(listener, ...join('public:names'));
    const names: unknown[] = [];
    for (const socket of [one, other]) {
      const heard = nextEvent(listener, 'told');
      await ask(socket, 'room:signal', { room: 'public:names', event: 'told', data: 1 });
      const [, meta] = await heard;
      names.push((meta as { from: string }).from);
    }
    expect(names).toEqual([expect.stringMatching(/^anonymous:/), expect.stringMatching(/^anonymous:/)]);
    expect(names[0]).not.toBe(names[1]);
  });

  it('gets into / only', async () => {
    const [error] = await nextEvent(node.client(undefined, { namespace: '/chat' }), 'connect_error');
    expect(error).toMatchObject({ data: { code: 'forbidden' } });
  });

  it('cannot become a user by a refresh, nor a user an anonymous client', async () => {
    const refusal = { ok: false, error: { code: expect.stringMatching(/^(token|invalid)_/) } };
    const visitor = await connect();
    expect(await ask(visitor, 'token:refresh', { token: await signToken() })).toMatchObject(refusal);
    for (const socket of [visitor, await node.connect('alice')]) {
      for (const payload of [{}, { token: '' }, { token: null }]) {
        expect(await ask(socket, 'token:refresh', payload)).toMatchObject(refusal);
      }
    }
  });
});

describe('a client with a token, where others need none', () => {
  it('may do what the rules say beside what its token says', async () => {
    const socket = node.client(await signToken({ rooms: { 'project:*': ['join'] } }));
    expect(await ask(socket, ...join('project:1'))).toMatchObject({ ok: true });
    expect(await ask(socket, ...join('public:lobby'))).toMatchObject({ ok: true });
    expect(await ask(socket, ...join('team:1'))).toMatchObject(forbidden);
  });

  it.each<[what: string, token: () => Promise<string> | string, code: string]>([
    ['forged', () => signToken({}, { secret: 'another-secret-as-long-as-the-right-one' }), 'token_invalid'],
    ['expired', () => signToken({}, { expiresIn: '1 minute ago' }), 'token_expired'],
  ])('is refused, not let in without, when its token is %s', async (_what, token, code) => {
    const [error] = await nextEvent(node.client(await token()), 'connect_error');
    expect(error).toMatchObject({ data: { code } });
  });
});
