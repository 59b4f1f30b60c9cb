import { eventually, nextEvent } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

/** How often a limit was met, by outcome. */
const limited = async (node: TestNode, limit: string): Promise<Record<string, number>> => {
  const text = await (await fetch(`${node.opsUrl}/metrics`)).text();
  const found = text.matchAll(/^fanfare_limited_total\{([^}]*)\} ([1-9]\d*)$/gm);
  const counts: Record<string, number> = {};
  for (const [, labels = '', value] of found) {
    const outcome = /outcome="(\w+)"/.exec(labels)?.[1] ?? '';
    if (labels.includes(`limit="${limit}"`)) counts[outcome] = Number(value);
  }
  return counts;
};

const join = (n: number) => ({ room: `project:${n}` });
const refusal = (code: string) => ({ ok: false, error: expect.objectContaining({ code }) });
const RATE_LIMITED = {
  ok: false,
  error: expect.objectContaining({ code: 'rate_limited', retryable: true, retryAfterMs: expect.any(Number) }),
};

describe('a limit of a rate', () => {
  it.each([
    ['FANFARE_LIMIT_SOCKET_EVENTS', 'socket_events'],
    ['FANFARE_LIMIT_USER_EVENTS', 'user_events'],
    ['FANFARE_LIMIT_IP_EVENTS', 'ip_events'],
  ])('%s lets a burst pass and refuses what follows until there is a token again', async (setting, limit) => {
    await using node = await startNode({ [setting]: '2/3' });
    const alice = await node.connect('alice');
    const answers = await Promise.all([1, 2, 3, 4].map((n) => ask(alice, 'room:join', join(n))));
    expect(answers).toMatchObject([{ ok: true }, { ok: true }, { ok: true }, RATE_LIMITED]);
    expect(await limited(node, limit)).toEqual({ refused: 1 });
    const [, , , refused] = answers;
    const waitMs = refused?.ok === false ? (refused.error.retryAfterMs ?? 0) : 0;
    expect(waitMs).toBeGreaterThan(400);
    expect(waitMs).toBeLessThanOrEqual(500);
    await eventually(async () => expect(await ask(alice, 'room:join', join(5))).toMatchObject({ ok: true }));
  });

  it('holds for the sockets of a user together, and not for another user', async () => {
    await using node = await startNode({ FANFARE_LIMIT_USER_EVENTS: '1/2' });
    const [one, two, bob] = await Promise.all(['alice', 'alice', 'bob'].map((user) => node.connect(user)));
    if (!one || !two || !bob) throw new Error('not connected');
    await Promise.all([ask(one, 'room:join', join(1)), ask(two, 'room:join', join(1))]);
    expect(await ask(two, 'room:join', join(2))).toEqual(RATE_LIMITED);
    expect(await ask(bob, 'room:join', join(2))).toMatchObject({ ok: true });
  });

  it('of joins counts every room of a request', async () => {
    await using node = await startNode({ FANFARE_LIMIT_SOCKET_JOINS: '1/50' });
    const alice = await node.connect('alice');
    const rooms = Array.from({ length: 50 }, (_, n) => join(n));
    expect(await ask(alice, 'room:join', { rooms })).toMatchObject({ ok: true });
    expect(await ask(alice, 'room:join', join(51))).toEqual(RATE_LIMITED);
    expect(await ask(alice, 'room:leave', join(1))).toMatchObject({ ok: true });
  });

  it('of bytes counts events by their size', async () => {
    await using node = await startNode({ FANFARE_LIMIT_SOCKET_BYTES: '1000/100000' });
    const alice = await node.connect('alice');
    await ask(alice, 'room:join', join(1));
    const signal = { room: 'project:1', event: 'cursor:moved', data: 'x'.repeat(60_000) };
    expect(await ask(alice, 'room:signal', signal)).toMatchObject({ ok: true });
    expect(await ask(alice, 'room:signal', signal)).toMatchObject({ ok: true });
    expect(await ask(alice, 'room:leave', join(1))).toEqual(RATE_LIMITED);
    expect(await limited(node, 'socket_bytes')).toEqual({ refused: 1 });
  });

  it('in a dry run only counts', async () => {
    await using node = await startNode({
      FANFARE_LIMIT_SOCKET_EVENTS: '1/1',
      FANFARE_LIMIT_USER_EVENTS: '1/1',
      FANFARE_LIMITS_DRY_RUN: 'socket_events,user_events',
    });
    const alice = await node.connect('alice');
    for (const n of [1, 2, 3]) expect(await ask(alice, 'room:join', join(n))).toMatchObject({ ok: true });
    expect(await limited(node, 'socket_events')).toEqual({ dry_run: 2 });
    expect(await limited(node, 'user_events')).toEqual({ dry_run: 2 });
  });

  it('cuts a client off that takes no notice, after telling it, and it may come back', async () => {
    await using node = await startNode({
      FANFARE_LIMIT_SOCKET_EVENTS: '1/1',
      FANFARE_LIMIT_SOCKET_REFUSALS: '1/3',
      FANFARE_NAMESPACES: '/,/chat',
    });
    const alice = await node.connect('alice', { reconnectionDelay: 10 });
    const token = await signToken({ sub: 'alice', namespaces: ['/chat'] });
    const chat = alice.io.socket('/chat', { auth: { token } });
    await nextEvent(chat, 'connect');
    const told = Promise.all([alice, chat].map((socket) => nextEvent(socket, 'session:closing')));
    const gone = nextEvent(alice, 'disconnect');
    for (let n = 0; n < 100; n += 1) alice.emit('room:join', join(n));
    expect(await told).toEqual(Array(2).fill([{ reason: 'rate_limited', reconnect: true, inMs: 0 }]));
    expect((await gone)[0]).toBe('transport close');
    const back = nextEvent(alice, 'connect');
    expect(await limited(node, 'socket_events')).toEqual({ refused: 4 });
    expect(await limited(node, 'socket_refusals')).toEqual({ cut: 1 });
    await back;
  });
});

describe('a limit of how many there are', () => {
  it('keeps a socket to its rooms, and lets it join again those it is in', async () => {
    await using node = await startNode({ FANFARE_LIMIT_SOCKET_ROOMS: '2' });
    const alice = await node.connect('alice');
    const rooms = [1, 2, 3, 1].map(join);
    expect(await ask(alice, 'room:join', { rooms })).toMatchObject({
      data: { rooms: [{ epoch: '' }, { epoch: '' }, { error: { code: 'limit_reached' } }, { epoch: '' }] },
    });
    expect(await ask(alice, 'room:join', join(3))).toEqual(refusal('limit_reached'));
    await ask(alice, 'room:leave', join(1));
    expect(await ask(alice, 'room:join', join(3))).toMatchObject({ ok: true });
  });

  it('keeps a user to so many sockets, of which one that is closed no longer counts', async () => {
    await using node = await startNode({ FANFARE_LIMIT_USER_SOCKETS: '2' });
    const [first] = await Promise.all([node.connect('alice'), node.connect('alice')]);
    const third = node.client(await signToken({ sub: 'alice' }));
    const [error] = await nextEvent(third, 'connect_error');
    expect(error).toMatchObject({ data: { code: 'limit_reached', retryable: false } });
    await node.connect('bob');
    first.disconnect();
    await eventually(async () => {
      third.connect();
      await nextEvent(third, 'connect', { timeoutMs: 500 });
    });
  });

  it.each([
    ['FANFARE_LIMIT_IP_SOCKETS', 409, 'limit_reached', null],
    ['FANFARE_LIMIT_NODE_CONNECTIONS', 503, 'unavailable', '5'],
  ])(
    '%s answers the next connection %i before anything is kept of it',
    async (setting, status, code, retryAfter) => {
      await using node = await startNode({ [setting]: '1' });
      const alice = await node.connect('alice');
      const handshake = () => fetch(`${node.url}/socket.io/?EIO=4&transport=polling`);
      const refused = await handshake();
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([status, retryAfter]);
      expect(await refused.json()).toMatchObject({ message: expect.stringContaining(code) });
      alice.disconnect();
      await eventually(async () => expect((await handshake()).status).toBe(200));
    },
  );

  it('lets so many connections a second in', async () => {
    await using node = await startNode({ FANFARE_LIMIT_NODE_HANDSHAKES: '1/5' });
    const token = await signToken();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () =>
        fetch(`${node.url}/socket.io/?EIO=4&transport=polling`).then(
          ({ status, headers }) => `${status} ${headers.get('retry-after')}`,
        ),
      ),
    );
    const expected = [...Array(5).fill('200 null'), ...Array(15).fill('429 1')];
    const upgrade = node.client(token, { reconnection: false });
    const [refused] = await nextEvent(upgrade, 'connect_error');
    expect(answers.sort()).toEqual(expected);
    expect(await limited(node, 'node_handshakes')).toEqual({ refused: 16 });
    expect(refused).toMatchObject({ description: { message: expect.stringContaining('429') } });
  });
});

describe('packets of Engine.IO', () => {
  const poll = async (node: TestNode, sid: string, body: string) =>
    fetch(`${node.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });
  const open = async (node: TestNode): Promise<string> => {
    const text = await (await fetch(`${node.url}/socket.io/?EIO=4&transport=polling`)).text();
    return /"sid":"([^"]+)"/.exec(text)?.[1] ?? '';
  };

  it.each([
    ['pongs', '3'],
    ['acks that nobody waits for', '430[1]'],
    ['empty messages', '4'],
  ])('in one poll, 12,000 and more %s, end the connection before they are parsed', async (_what, packet) => {
    await using node = await startNode();
    const sid = await open(node);
    const body = Array.from({ length: 16_000 }, () => packet).join('\u001e');
    await poll(node, sid, body.slice(0, 99_000)).catch(() => undefined);
    await eventually(async () => expect((await poll(node, sid, '3')).status).toBe(400));
    expect(await limited(node, 'socket_packets')).toEqual({ cut: 1 });
  });

  it.each(['polling', 'websocket'])(
    'of a stock client that has much to say at once by %s pass, in its order',
    async (transport) => {
      await using node = await startNode();
      const alice = await node.connect('alice', { transports: [transport] });
      const order: number[] = [];
      const answers = Array.from({ length: 900 }, async (_, n) => {
        expect(await ask(alice, 'room:leave', join(n))).toMatchObject({ ok: true });
        order.push(n);
      });
      await Promise.all(answers);
      expect(order).toEqual(answers.map((_, n) => n));
    },
  );

  it('that ask for namespaces over and over end the connection', async () => {
    await using node = await startNode();
    const alice = await node.connect('alice', { reconnection: false });
    const gone = nextEvent(alice, 'disconnect');
    for (let n = 0; n < 200; n += 1) alice.io.engine.write(`0/nowhere${n},`);
    expect((await gone)[0]).toBe('transport close');
    expect(await limited(node, 'socket_connects')).toEqual({ cut: 1 });
  });

  it('that come one by one and too fast end the connection', async () => {
    await using node = await startNode({ FANFARE_LIMIT_SOCKET_PACKETS: '10/100' });
    const alice = await node.connect('alice', { reconnection: false });
    const gone = nextEvent(alice, 'disconnect');
    for (let n = 0; n < 200; n += 1) alice.io.engine.write('3');
    expect((await gone)[0]).toBe('transport close');
    expect(await limited(node, 'socket_packets')).toEqual({ cut: 1 });
  });
});
