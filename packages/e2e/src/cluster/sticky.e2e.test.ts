import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PollingStatuses, watchPolling } from '../clients/polling-statuses.ts';
import { joinsQuickly } from '../clients/quick-websocket.ts';
import { type Client, openClient } from '../clients/stock-client.ts';
import { scrapeAll, total } from './metrics.ts';

const SESSIONS = 100;
const AT_ONCE = 10;

/** A whole session: connect, join, publish, hear, disconnect. Returns the node that held it. */
const runSession = async (stack: Stack, statuses: PollingStatuses, number: number): Promise<string> => {
  const room = `test:${number}`;
  await using client = await openClient(stack.url, { token: stack.token, room, transports: ['polling'] });
  await client.tell(number);
  await client.hears(number);
  expect({ lost: client.lost, refused: client.refused }).toEqual({ lost: [], refused: [] });
  expect(client.socket.io.engine.transport.name).toBe('polling');
  statuses.end(client.socket.io.engine.id);
  return client.node;
};

/** Runs all sessions, several at once, and returns how many each node held. */
const runSessions = async (stack: Stack, statuses: PollingStatuses): Promise<Map<string, number>> => {
  const held = new Map<string, number>();
  const runner = async (first: number) => {
    for (let number = first; number < SESSIONS; number += AT_ONCE) {
      const node = await runSession(stack, statuses, number);
      held.set(node, (held.get(node) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => runner(first)));
  return held;
};

/** How many requests the gateways refused below Socket.IO: those for unknown sessions above all. */
const refusedByEngine = async (stack: Stack): Promise<number> =>
  (await scrapeAll(stack.nodes))
    .filter(({ name, labels }) => name === 'socket_io_errors_total' && labels.code?.startsWith('engine_'))
    .reduce((sum, { value }) => sum + value, 0);

/** Every answer was a 200, on the client's side and on the gateways'. */
const expectNoRefusal = async (stack: Stack, statuses: PollingStatuses): Promise<void> => {
  expect([...statuses.counts.keys()]).toEqual([200]);
  await eventually(async () => expect(await refusedByEngine(stack)).toBe(statuses.late));
};

describe('three nodes behind nginx', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ nodes: 3 });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test('100 polling sessions without cookies get no HTTP 400 (rows 13, 17, C1)', async () => {
    using statuses = watchPolling(stack.url);
    const held = await runSessions(stack, statuses);
    await expectNoRefusal(stack, statuses);
    expect([...held.keys()].sort()).toEqual(['n1', 'n2', 'n3']);
  });

  test('a default client begins with polling and ends on websocket, on the same node (row 13)', async () => {
    using statuses = watchPolling(stack.url);
    const socket = io(stack.url, { auth: { token: stack.token }, forceNew: true });
    await using _closing = { [Symbol.asyncDispose]: async () => void socket.disconnect() };
    let opened: unknown;
    socket.io.on('open', () => {
      opened = { transport: socket.io.engine.transport.name, id: socket.io.engine.id };
    });
    await eventually(() => expect(socket.io.engine.transport.name).toBe('websocket'));
    await eventually(() => expect(socket.connected).toBe(true));
    expect(opened).toEqual({ transport: 'polling', id: socket.io.engine.id });
    expect([...statuses.counts.keys()]).toEqual([200]);
  });

  test('new sessions are spread over the nodes (C1)', async () => {
    await using clients = new AsyncDisposableStack();
    const opened: Client[] = [];
    const open = async () =>
      opened.push(
        clients.use(await openClient(stack.url, { token: stack.token, transports: ['websocket'] })),
      );
    for (let i = 0; i < 15; i++) await Promise.all(Array.from({ length: 20 }, open));
    const held = stack.nodes.map(({ id }) => opened.filter(({ node }) => node === id).length);
    expect(held.reduce((sum, count) => sum + count)).toBe(300);
    expect(Math.max(...held) / Math.min(...held)).toBeLessThanOrEqual(1.5);
  });
});

describe('two nodes of two workers each behind nginx', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ nodes: 2, workers: 2 });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test('100 polling sessions get no HTTP 400, and every worker holds some (rows 13, 17, C3)', async () => {
    using statuses = watchPolling(stack.url);
    await runSessions(stack, statuses);
    await expectNoRefusal(stack, statuses);
    const samples = await scrapeAll(stack.nodes);
    const held = ['n1', 'n2'].flatMap((node) =>
      ['0', '1'].map((worker) => total(samples, 'socket_io_connect_total', { node, worker })),
    );
    expect(held.every((count) => count > 0)).toBe(true);
    expect(held.reduce((sum, count) => sum + count)).toBe(SESSIONS);
  });

  test('nothing that a websocket sends gets lost on the way to its worker (rows 13, C3)', async () => {
    // Of 300 at least one is lost in 19 of 20 runs when the primary reads on after it handed a socket over.
    for (let i = 0; i < 300; i++) {
      const { url = '' } = stack.nodes[i % 2] ?? {};
      expect(await joinsQuickly(url, { token: stack.token, timeoutMs: 3000 })).toBe(true);
    }
  });
});
