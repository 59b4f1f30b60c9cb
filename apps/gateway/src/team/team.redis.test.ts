import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, nextEvent } from '@fanfare/testing';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, startPair, type TestNode } from '../../test/start-node.ts';

const HANDLERS = new URL('../../test/fixtures/broadcasts.js', import.meta.url).pathname;

let stack: AsyncDisposableStack;
let a: TestNode;
let b: TestNode;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  ({ a, b } = stack.use(await startPair({ FANFARE_HANDLERS: HANDLERS })));
});
afterAll(() => stack.disposeAsync());

describe("a team's stock handlers over two nodes", () => {
  /** Sender and neighbour on the first node, two more on the second. */
  let sockets: Socket[];
  let heard: unknown[][];
  const room = (name: string) => `${name}-${marker}`;
  let marker = 0;

  beforeEach(async () => {
    marker += 1;
    sockets = await Promise.all([a.connect('s0'), a.connect('s1'), b.connect('s2'), b.connect('s3')]);
    heard = sockets.map((socket) => {
      const own: unknown[] = [];
      socket.on('told', (data) => own.push(data));
      return own;
    });
    const enter = (i: number, name: string) => sockets[i]?.emitWithAck('enter', room(name));
    await Promise.all([enter(0, 'red'), enter(2, 'red'), enter(1, 'blue'), enter(2, 'blue')]);
  });

  it.each<[pattern: string, args: () => unknown[], who: number[]]>([
    ['to self', () => [], [0]],
    ['to all', () => [], [0, 1, 2, 3]],
    ['to all but sender', () => [], [1, 2, 3]],
    ['to room', () => [room('red')], [0, 2]],
    ['to room but sender', () => [room('red')], [2]],
    ['to rooms', () => [[room('red'), room('blue')]], [0, 1, 2]],
    ['to socket', () => [sockets[3]?.id], [3]],
  ])('"%s" reaches exactly those it names, once each (row 14)', async (pattern, args, who) => {
    sockets[0]?.emit(pattern, ...args(), 'news');
    await eventually(() => expect(who.map((i) => heard[i])).toEqual(who.map(() => ['news'])));
    // One publisher's broadcasts arrive in order, so this one shows that nothing else is on its way.
    sockets[0]?.emit('to all', 'end');
    await eventually(() => expect(heard.every((list) => list.includes('end'))).toBe(true));
    expect(heard).toEqual(sockets.map((_, i) => (who.includes(i) ? ['news', 'end'] : ['end'])));
  });

  it('a client event reaches its handler with the payload intact, and an answer comes back (row 3)', async () => {
    const heardBack = nextEvent(sockets[0] as Socket, 'told');
    sockets[0]?.emit('to self', { deep: [1, { text: 'ü' }], none: null });
    expect(await heardBack).toEqual([{ deep: [1, { text: 'ü' }], none: null }]);
  });
});

describe('acks of a team', () => {
  it('keep their own shape, and a handler that never answers runs into the timeout of the client (row 25)', async () => {
    const alice = await a.connect('alice');
    expect(await alice.emitWithAck('save-message', 'hello')).toEqual({ status: 'ok', id: 'm1' });
    expect(await alice.emitWithAck('save-message', 42)).toEqual({ status: 'error', error: 'text expected' });
    await expect(alice.timeout(50).emitWithAck('never answers', 1)).rejects.toThrow('timed out');
  });

  it.each([
    ['a listener that throws', ['throws', {}]],
    ['a listener that rejects', ['rejects', {}]],
    ['middleware for events that throws', ['into middleware', 'throws']],
    ['middleware for events that rejects', ['into middleware', 'rejects']],
  ])('%s answers "internal", hides the inside and ends nothing', async (_, [event = '', ...args]) => {
    const alice = await a.connect('alice');
    const answer = await alice.timeout(5000).emitWithAck(String(event), ...args);
    expect(answer).toMatchObject({ ok: false, error: { code: 'internal' } });
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  it.each(['throws', 'rejects'])(
    'a catch-all listener that %s ends nothing, and can be taken off',
    async (how) => {
      const alice = await a.connect('alice');
      const ways = ['onAny', 'prependAny', 'onAnyOutgoing', 'prependAnyOutgoing'];
      for (const way of ways) await alice.timeout(5000).emitWithAck('fail in', way, how);
      expect(await alice.timeout(5000).emitWithAck('trigger')).toEqual({ before: [2, 2], after: [0, 0] });
    },
  );

  it.each(['throws', 'rejects'])('a callback for an answer that %s ends nothing', async (how) => {
    const alice = await a.connect('alice');
    const asked = nextEvent(alice, 'asks');
    await alice.timeout(5000).emitWithAck('fail in', 'an answer', how);
    const [answer] = await asked;
    const failures = async () => {
      const metrics = await (await fetch(`${a.opsUrl}/metrics`)).text();
      return Number(/^socket_io_errors_total{.*code="internal".*} (\d+)$/m.exec(metrics)?.[1] ?? 0);
    };
    const before = await failures();
    if (typeof answer === 'function') answer();
    await alice.timeout(5000).emitWithAck('fail in', 'a late answer', how);
    await eventually(async () => expect(await failures()).toBe(before + 2));
  });

  it('a listener added with once, or that takes itself off, is called once', async () => {
    const alice = await a.connect('alice');
    expect(await ask(alice, 'once', {})).toEqual({ ok: true });
    expect(await ask(alice, 'once', {})).toMatchObject({ ok: false, error: { code: 'unknown_event' } });
    expect(await ask(alice, 'removed', {})).toEqual({ ok: true });
    expect(await ask(alice, 'removed', {})).toMatchObject({ ok: false, error: { code: 'unknown_event' } });
  });

  it('an event that no handler took gets an error ack when it asked for one', async () => {
    const alice = await a.connect('alice');
    expect(await ask(alice, 'nobody-takes-this', {})).toMatchObject({
      ok: false,
      error: { code: 'unknown_event' },
    });
  });
});

describe('what a team is given', () => {
  it('authorize refuses what the token does not allow', async () => {
    const alice = a.client(await signToken({ rooms: { 'project:*': ['join'] } }));
    expect(await ask(alice, 'guarded', 'project:1')).toEqual({ ok: true });
    expect(await ask(alice, 'guarded', 'secret:1')).toMatchObject({
      ok: false,
      error: { code: 'forbidden' },
    });
  });

  it('publish tells the members of a room on every node', async () => {
    const [alice, bob] = [await a.connect('alice'), await b.connect('bob')];
    await ask(bob, 'room:join', { room: 'project:9' });
    const heard = nextEvent(bob, 'task:created');
    await ask(alice, 'publishes', 'project:9');
    expect(await heard).toEqual([
      1,
      { room: 'project:9', id: 'team-1', at: expect.any(Number), epoch: expect.any(String), offset: 1 },
    ]);
  });

  it.each(['throw', 'reject'])(
    'a middleware that ends in a %s refuses the connection and nothing else',
    async (refuse) => {
      const token = await signToken();
      const refused = a.client(undefined, { auth: { token, refuse } });
      const [error] = await nextEvent(refused, 'connect_error');
      expect(error).toMatchObject({ data: { code: 'internal' } });
      expect((error as Error).message).not.toContain('secret');
      await a.connect('alice');
    },
  );
});

describe('a module that cannot be used', () => {
  it.each([
    ['./no-such-file.js', 'expected the path of a file that exists'],
    [new URL('../config.ts', import.meta.url).pathname, 'must export a function by default'],
  ])('%s stops the start with one sentence', async (path, sentence) => {
    await expect(startNode({ FANFARE_HANDLERS: path })).rejects.toThrow(sentence);
  });

  it.each(["'/secret'", "'secret'", '/^\\/room-/'])(
    'one that opens the undeclared namespace %s stops the start: nobody would be authenticated there (row 21)',
    async (name) => {
      const dir = await mkdtemp(join(tmpdir(), 'fanfare-handlers-'));
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => rm(dir, { recursive: true }));
      const path = join(dir, 'handlers.mjs');
      await writeFile(path, `export default (io) => { io.of('/declared'); io.of(${name}); };`);
      await expect(startNode({ FANFARE_HANDLERS: path, FANFARE_NAMESPACES: '/,/declared' })).rejects.toThrow(
        'to FANFARE_NAMESPACES',
      );
    },
  );
});
