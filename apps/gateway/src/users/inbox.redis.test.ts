import {
  type ClusterPublisher,
  connectRedis,
  DEFAULT_RETENTION,
  EventLog,
  inboxRoom,
  publishOverRedis,
  type RedisLink,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { userRoom } from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startPair, type TestNode } from '../../test/start-node.ts';

let stack: AsyncDisposableStack;
let link: RedisLink;
let publisher: ClusterPublisher;
let a: TestNode;
let b: TestNode;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const pair = stack.use(await startPair({ FANFARE_NAMESPACES: '/,/chat' }));
  ({ a, b } = pair);
  link = stack.use(
    connectRedis({ target: redisUrl.parse(pair.redis.url), name: 'api', onChange: () => undefined }),
  );
  publisher = publishOverRedis({
    link,
    bus: { send: async (to, message) => Number(await link.publish(to, message)) },
    log: new EventLog(link, retentionRules.parse(DEFAULT_RETENTION)),
  });
  await eventually(() => expect(link.up).toBe(true));
});
afterAll(() => stack.disposeAsync());

/** Publishes to a user's inbox, as a backend. */
const notify = async (
  user: string,
  data: unknown,
  changes: { namespace?: string; except?: string[] } = {},
) => {
  const shared = { namespace: '/', except: [], event: 'task:assigned', publisher: 'test', ephemeral: false };
  const rooms = [inboxRoom(user)];
  const [result] = await publisher.publish({ ...shared, rooms, data, id: `n${data}`, ...changes });
  return result;
};

const join = (socket: Socket, request: Record<string, unknown> = {}) =>
  ask(socket, 'room:join', { room: 'inbox:me', ...request });

/** What a socket is told, with the room of each. */
const recordOf = (socket: Socket): unknown[] => {
  const heard: unknown[] = [];
  socket.onAny((event, data, meta) => heard.push([event, data, meta?.room ?? data?.room]));
  return heard;
};

describe('the inbox of a user', () => {
  it('keeps what came while the user was away, goes on live on every node, and is known as inbox:me', async () => {
    expect(await notify('bob', 1)).toMatchObject({ room: 'inbox:me', offset: 1, duplicate: false });
    expect(await notify('bob', 1)).toMatchObject({ room: 'inbox:me', offset: 1, duplicate: true });
    const [here, there] = [await a.connect('bob'), await b.connect('bob')];
    const meta = { room: 'inbox:me', id: 'n1', offset: 1 };
    for (const socket of [here, there]) {
      const answer = await join(socket, { replay: 10 });
      const events = [{ event: 'task:assigned', data: 1, meta }];
      expect(answer).toMatchObject({ ok: true, data: { room: 'inbox:me', offset: 1, events } });
    }
    const heard = [here, there].map((socket) => nextEvent(socket, 'task:assigned'));
    await notify('bob', 2);
    for (const arguments_ of await Promise.all(heard)) {
      expect(arguments_).toEqual([
        2,
        { room: 'inbox:me', id: 'n2', at: expect.any(Number), epoch: expect.any(String), offset: 2 },
      ]);
    }
  });

  it('is recovered on another node from the position where the connection was lost', async () => {
    await notify('erin', 1);
    const before = await a.connect('erin');
    const answer = await join(before, { replay: 1 });
    const { epoch, offset } = answer.ok ? answer.data : {};
    before.disconnect();
    await notify('erin', 2);
    await notify('erin', 3);

    const after = await b.connect('erin');
    expect(await join(after, { since: { epoch, offset } })).toMatchObject({
      ok: true,
      data: { room: 'inbox:me', recovered: true, offset: 3, events: [{ data: 2 }, { data: 3 }] },
    });
  });

  it('is left as inbox:me, and says nothing from then on', async () => {
    const socket = await a.connect('finn');
    await join(socket);
    const heard = recordOf(socket);
    expect(await ask(socket, 'room:leave', { room: 'inbox:me' })).toEqual({ ok: true, data: {} });
    await notify('finn', 1);
    expect(await join(socket)).toMatchObject({ ok: true, data: { offset: 1 } });
    expect(heard).toEqual([]);
  });

  it.each(['🤗', 'x'.repeat(256), `${'x'.repeat(255)}y`, '~', 'a:b', 'me', '*', '../b'])(
    'is that of the user %j alone (row 15)',
    async (user) => {
      await notify(user, user);
      const socket = await b.connect(user);
      const answer = await join(socket, { replay: 10 });
      expect(answer).toMatchObject({ ok: true, data: { offset: 1, events: [{ data: user }] } });
    },
  );

  it('needs no grant of the token, and is another one in each namespace (row 21)', async () => {
    const token = await signToken({ sub: 'gina', rooms: {}, namespaces: ['/', '/chat'] });
    const [plain, other] = [a.client(token), b.client(token, { namespace: '/chat' })];
    await notify('gina', 1);
    expect(await join(plain, { replay: 10 })).toMatchObject({ ok: true, data: { offset: 1 } });
    expect(await join(other, { replay: 10 })).toMatchObject({ ok: true, data: { offset: 0, events: [] } });
    const wrong = recordOf(plain);
    const heard = nextEvent(other, 'task:assigned');
    await notify('gina', 2, { namespace: '/chat' });
    expect(await heard).toMatchObject([2, { room: 'inbox:me', offset: 1 }]);
    await ask(plain, 'room:leave', { room: 'inbox:me' });
    expect(wrong).toEqual([]);
  });

  it('is inbox:me in room:skip and room:reset too', async () => {
    const socket = await a.connect('jane');
    await join(socket);
    const skipped = nextEvent(socket, 'room:skip');
    await notify('jane', 1, { except: ['jane'] });
    expect(await skipped).toMatchObject([{ room: 'inbox:me', offset: 1 }]);

    const tag = `{socket.io#/#${inboxRoom('jane')}#}`;
    await link.pub.del(`${tag}:head`, `${tag}:log`);
    const reset = nextEvent(socket, 'room:reset');
    await notify('jane', 2);
    expect(await reset).toMatchObject([{ room: 'inbox:me', offset: 1, reason: 'epoch' }]);
  });
});

describe('the session of a user', () => {
  it('keeps its inbox with a new token, whatever that allows', async () => {
    const socket = await a.connect('kate');
    await join(socket);
    const token = await signToken({ sub: 'kate', rooms: {} });
    expect(await ask(socket, 'token:refresh', { token })).toMatchObject({ ok: true });
    const heard = nextEvent(socket, 'task:assigned');
    await notify('kate', 1);
    expect(await heard).toMatchObject([1, { room: 'inbox:me' }]);
  });

  it('leaves it as inbox:me when the token ends', async () => {
    const socket = b.client(await signToken({ sub: 'liam' }, { expiresIn: '4s' }));
    const left = nextEvent(socket, 'room:left', { timeoutMs: 10_000 });
    await join(socket);
    expect(await left).toEqual([{ room: 'inbox:me', reason: 'token_expired' }]);
  });
});

describe('another user', () => {
  it('has an inbox of their own, and hears nothing of another one (row 15)', async () => {
    const [bob, eve] = [await a.connect('hank'), await a.connect('eve')];
    await join(bob);
    await join(eve);
    const wrong = recordOf(eve);
    const heard = nextEvent(bob, 'task:assigned');
    await notify('hank', 1);
    await heard;
    await ask(eve, 'room:leave', { room: 'inbox:me' });
    expect(wrong).toEqual([]);
    expect(await join(eve, { replay: 10 })).toMatchObject({ ok: true, data: { offset: 0, events: [] } });
  });

  it.each([
    ['room:join', (room: string) => ({ room })],
    ['room:join', (room: string) => ({ room, replay: 5 })],
    ['room:join', (room: string) => ({ room, since: { epoch: '', offset: 0 } })],
    ['room:leave', (room: string) => ({ room })],
    ['room:publish', (room: string) => ({ room, event: 'task:assigned', data: 1 })],
    ['room:signal', (room: string) => ({ room, event: 'task:assigned', data: 1 })],
  ])('cannot %s %s by its name inside, nor can its owner', async (event, payload) => {
    for (const user of ['eve', 'hank']) {
      const socket = await b.connect(user);
      const answer = await ask(socket, event, payload(inboxRoom('hank')));
      expect(answer).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    }
  });

  it('takes no other room of a join down with it', async () => {
    const eve = await a.connect('eve');
    const rooms = [{ room: inboxRoom('hank') }, { room: 'inbox:me' }, { room: 'project:1' }];
    const answer = await ask(eve, 'room:join', { rooms });
    const forbidden = { error: { code: 'forbidden' } };
    expect(answer).toMatchObject({ ok: true, data: { rooms: [forbidden, { offset: 0 }, { offset: 0 }] } });
  });
});

it.each(['room:publish', 'room:signal'])('nobody can %s to their own inbox', async (event) => {
  const socket = await a.connect('ivan');
  const answer = await ask(socket, event, { room: 'inbox:me', event: 'task:assigned', data: 1 });
  expect(answer).toMatchObject({ ok: false, error: { code: 'forbidden' } });
});

it('the room of all sockets of a user cannot be joined by name', async () => {
  const eve = await a.connect('eve');
  for (const room of [userRoom('hank'), userRoom('eve')]) {
    expect(await ask(eve, 'room:join', { room })).toMatchObject({
      ok: false,
      error: { code: 'invalid_payload' },
    });
  }
});
