import { eventually, nextEvent, RedisServer } from '@fanfare/testing';
import { Manager, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, signToken, startNode, type TestNode } from '../../test/start-node.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());

const connectMany = (node: TestNode, count: number, transports = ['websocket']): Promise<Socket[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) => node.connect(`user-${i}`, { reconnection: false, transports })),
  );

/** When each client lost its connection, and what it was told before. */
const recordClosings = (clients: readonly Socket[]) =>
  clients.map((client) => {
    const closing: { at?: number; reason?: unknown; told?: unknown } = {};
    client.on('session:closing', (told) => {
      closing.told = told;
    });
    client.on('disconnect', (reason) => Object.assign(closing, { at: performance.now(), reason }));
    return closing;
  });

describe('a node that stops', () => {
  it('closes its connections at the configured rate, each told first, as a lost transport', async () => {
    await using node = await startNode({ REDIS_URL: redis.url, FANFARE_DRAIN_PER_SECOND: '100' });
    const clients = [...(await connectMany(node, 60)), ...(await connectMany(node, 20, ['polling']))];
    const closings = recordClosings(clients);
    await node.drain();
    await eventually(() => expect(closings.every(({ at }) => at !== undefined)).toBe(true));
    for (const { reason, told } of closings) {
      expect(['transport close', 'transport error']).toContain(reason);
      expect(told).toEqual({ reason: 'draining', reconnect: true, inMs: 0 });
    }
    const times = closings.map(({ at }) => at ?? 0).sort((a, b) => a - b);
    // 80 connections at 100 a second; a batch may come late, never early.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(600);
  });

  it('is not ready at once, takes no new session and lets running ones go on until it is their turn', async () => {
    await using other = await startNode({ REDIS_URL: redis.url });
    await using node = await startNode({
      REDIS_URL: redis.url,
      FANFARE_PRE_STOP_MS: '1000',
      FANFARE_DRAIN_PER_SECOND: '1',
    });
    const [polling, websocket] = [await connectMany(node, 1, ['polling']), await connectMany(node, 1)].flat();
    if (!polling || !websocket) throw new Error('two clients expected');
    const readiness = async () => (await fetch(`${node.opsUrl}/readyz`)).json();
    await eventually(async () => expect(await readiness()).toMatchObject({ ready: true }));
    const drained = node.drain();
    expect(await readiness()).toEqual({ ready: false, reasons: ['draining'] });
    for (const client of [polling, websocket]) {
      expect((await ask(client, 'room:join', { room: 'project:1' })).ok).toBe(true);
    }
    await eventually(async () => {
      const refused = node.client(await signToken(), { reconnection: false });
      await nextEvent(refused, 'connect_error', { timeoutMs: 200 });
    });
    expect((await other.connect('alice')).connected).toBe(true);
    await drained;
    await eventually(() => expect([polling.connected, websocket.connected]).toEqual([false, false]));
  });

  it('answers whatever it has taken before it closes a connection', async () => {
    await using other = await startNode({ REDIS_URL: redis.url });
    await using node = await startNode({ REDIS_URL: redis.url, FANFARE_DRAIN_PER_SECOND: '1000' });
    const room = 'project:acks';
    const clients = await connectMany(node, 50);
    const acked: unknown[] = [];
    const publishing = clients.map(async (client, i) => {
      for (let n = 0; client.connected; n += 1) {
        const id = `${i}-${n}`;
        const answer = await ask(client, 'room:publish', { room, event: 'told', data: id }).catch(
          () => undefined,
        );
        if (answer?.ok) acked.push(id);
      }
    });
    await eventually(() => expect(acked.length).toBeGreaterThan(100));
    await node.drain();
    await Promise.all(publishing);
    const reader = await other.connect('reader');
    let logged = 0;
    for (let since = { epoch: '', offset: 0 }, more = true; more; ) {
      const answer = await ask(reader, 'room:join', {
        room,
        ...(since.epoch === '' ? { replay: 500 } : { since }),
      });
      if (!answer.ok) throw new Error('a join expected');
      since = { epoch: String(answer.data.epoch), offset: Number(answer.data.offset) };
      logged = since.offset;
      more = answer.data.more === true;
    }
    expect(logged).toBe(acked.length);
  });

  it('tells who asks for a namespace while it stops, on an old connection or one that had none', async () => {
    await using stack = new AsyncDisposableStack();
    const node = stack.use(
      await startNode({
        REDIS_URL: redis.url,
        FANFARE_NAMESPACES: '/,/chat',
        FANFARE_DRAIN_PER_SECOND: '2',
      }),
    );
    const clients = await connectMany(node, 3);
    const manager = new Manager(node.url, { transports: ['websocket'], reconnection: false });
    stack.defer(() => void manager.engine.close());
    await new Promise<void>((resolve) => manager.once('open', resolve));
    const firstGone = Promise.race(clients.map((client) => nextEvent(client, 'disconnect')));
    const drained = node.drain();
    await firstGone;
    const token = await signToken({ namespaces: ['/', '/chat'] });
    const late = clients
      .filter(({ connected }) => connected)
      .map(({ io }) => io.socket('/chat', { auth: { token } }));
    late.push(manager.socket('/', { auth: { token } }));
    const closings = recordClosings(late);
    await Promise.all(late.map((socket) => nextEvent(socket, 'connect')));
    await drained;
    await eventually(() => expect(closings.every(({ at }) => at !== undefined)).toBe(true));
    const told = { reason: 'draining', reconnect: true, inMs: 0 };
    expect(closings.map((closing) => closing.told)).toEqual(Array(3).fill(told));
  });

  it('closes the rest at once when its time is over', async () => {
    await using node = await startNode({
      REDIS_URL: redis.url,
      FANFARE_DRAIN_PER_SECOND: '1',
      FANFARE_SHUTDOWN_MS: '3500',
    });
    const closings = recordClosings(await connectMany(node, 10));
    await node.drain();
    await eventually(() => expect(closings.every(({ at }) => at !== undefined)).toBe(true));
  });
});
