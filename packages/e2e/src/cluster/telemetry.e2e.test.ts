import { fileURLToPath } from 'node:url';
import { type LogLine, type Stack, startStack } from '@fanfare/local';
import { eventually, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { openFrozenClient } from '../clients/frozen-client.ts';
import { type Client, openClient } from '../clients/stock-client.ts';
import { publish } from './http-api.ts';
import { scrapeAll, total } from './metrics.ts';

const ROOM = 'test:telemetry';
const SECRET = 'a payload that no log may have';

const lines: LogLine[] = [];
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    nodes: 2,
    env: {
      FANFARE_HANDLERS: fileURLToPath(new URL('ending-handlers.js', import.meta.url)),
      LOG_LEVEL: 'trace',
    },
    onLog: (line) => lines.push(line),
  });
});
afterAll(() => stack[Symbol.asyncDispose]());

const open = (index: 0 | 1): Promise<Client> =>
  openClient(stack.nodes[index]?.url ?? '', { token: stack.token, room: ROOM, transports: ['websocket'] });

const record = z.looseObject({
  level: z.string(),
  time: z.iso.datetime(),
  app: z.enum(['gateway', 'api']),
  worker: z.string(),
  msg: z.string(),
});
const isOfApp = ({ process, stream }: LogLine) => stream === 'stdout' && /^(n\d|api)$/.test(process);
const records = () => lines.filter(isOfApp).map(({ text }) => record.parse(JSON.parse(text)));

/** How much the counters rise while something is done, by name and labels; what does not rise is left out. */
const risesBy = async (act: () => Promise<void>, expected: Record<string, number>): Promise<void> => {
  const read = async () => {
    const counts = new Map<string, number>();
    for (const { name, labels, value } of await scrapeAll(stack.nodes)) {
      if (!name.startsWith('socket_io_')) continue;
      const { node: _node, worker: _worker, ...own } = labels;
      const key = [name.slice('socket_io_'.length), ...Object.values(own).sort()].join(' ');
      counts.set(key, (counts.get(key) ?? 0) + value);
    }
    return counts;
  };
  const before = await read();
  await act();
  await eventually(async () => {
    const after = await read();
    const rises = [...after].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const);
    expect(Object.fromEntries(rises.filter(([, rise]) => rise !== 0))).toEqual(expected);
  });
};

test('the metrics count sockets, events and refusals, each once over both nodes', async () => {
  await using owner = new AsyncDisposableStack();
  await risesBy(
    async () => {
      const clients = await Promise.all(([0, 0, 1] as const).map(async (i) => owner.use(await open(i))));
      const [alice] = clients;
      await alice?.tell(SECRET);
      await Promise.all(clients.map((client) => client.hears(SECRET)));
      const answer: unknown = await alice?.socket.timeout(5000).emitWithAck('no:such:event', {});
      expect(answer).toMatchObject({ ok: false, error: { code: 'unknown_event' } });
      const stranger = owner.adopt(io(stack.url, { forceNew: true }), (socket) => void socket.disconnect());
      await nextEvent(stranger, 'connect_error');
    },
    {
      connected: 3,
      connect_total: 3,
      'events_received_total / room:join': 3,
      'events_received_total / room:publish': 1,
      'events_received_total / other': 1,
      // Three answers to joins, one to the publish, and what three members heard.
      events_sent_total: 7,
      'errors_total unknown_event': 1,
      'errors_total token_missing': 1,
    },
  );
  await risesBy(() => owner.disposeAsync(), {
    connected: -3,
    'disconnect_total client namespace disconnect': 3,
  });
});

/** Every way in which a stock client's socket ends, and what its node calls that. */
const ENDINGS: readonly [reason: string, told: string, end: (client: Client) => void][] = [
  ['client namespace disconnect', 'io client disconnect', ({ socket }) => void socket.disconnect()],
  ['server namespace disconnect', 'io server disconnect', ({ socket }) => void socket.emit('end-me')],
  ['transport close', 'forced close', ({ socket }) => void socket.io.engine.close()],
  // More than a message may have: the websocket is cut.
  ['transport error', 'transport close', ({ socket }) => void socket.emit('large', 'x'.repeat(200_000))],
];

const ended = z.looseObject({
  level: z.literal('info'),
  msg: z.literal('socket disconnected'),
  node: z.string(),
  worker: z.string(),
  namespace: z.string(),
  user: z.string(),
  socket: z.string(),
  reason: z.string(),
});

const endOf = (socket: string | undefined): Promise<z.infer<typeof ended>> =>
  eventually(() => {
    const found = records().find((one) => one.msg === 'socket disconnected' && one.socket === socket);
    return ended.parse(found);
  });

const countOf = async (reason: string): Promise<number> =>
  total(await scrapeAll(stack.nodes), 'socket_io_disconnect_total', { reason });

test.each(ENDINGS)('"%s" is logged with its socket and counted (row 27)', async (reason, told, end) => {
  await using client = await open(1);
  const before = await countOf(reason);
  const { id } = client.socket;
  client.socket.io.reconnection(false);
  end(client);
  expect(await endOf(id)).toMatchObject({ node: 'n2', namespace: '/', user: 'you', reason });
  expect(await countOf(reason)).toBe(before + 1);
  await eventually(() => expect(client.lost).toEqual([told]));
});

test('"ping timeout" is logged with its socket and counted (row 27)', async () => {
  const before = await countOf('ping timeout');
  await using frozen = await openFrozenClient(stack.nodes[0]?.url ?? '', stack.token);
  expect(await endOf(frozen.id)).toMatchObject({ node: 'n1', reason: 'ping timeout' });
  expect(await countOf('ping timeout')).toBe(before + 1);
});

test('what the nodes and the api log is JSON that says who and where, never what or with which key (C6)', async () => {
  await using alice = await open(0);
  await alice.tell(SECRET);
  expect(await publish(stack, { room: ROOM, data: SECRET })).toBe(200);
  await eventually(() => expect(alice.heard).toEqual([SECRET, SECRET]));
  const connected = await eventually(() => {
    const found = records().find(
      ({ msg, socket }) => msg === 'socket connected' && socket === alice.socket.id,
    );
    if (!found) throw new Error('not logged yet');
    return found;
  });
  expect(connected).toMatchObject({
    level: 'debug',
    app: 'gateway',
    node: 'n1',
    worker: '0',
    user: 'you',
    namespace: '/',
    transport: 'websocket',
  });
  expect(new Set(records().map(({ app }) => app))).toEqual(new Set(['gateway', 'api']));
  const all = lines.map(({ text }) => text).join('\n');
  for (const secret of [SECRET, stack.token, stack.apiKey]) expect(all).not.toContain(secret);
});

test('"forced close" is logged with its socket, after the node has stopped being ready (row 27)', async () => {
  await using client = await open(1);
  const { id } = client.socket;
  stack.nodes[1]?.process.kill('SIGTERM');
  expect(await stack.nodes[1]?.process.exited).toEqual({ code: 0, signal: null });
  expect(await endOf(id)).toMatchObject({ node: 'n2', reason: 'forced close' });
  expect(client.lost).toEqual(['transport close']);
  const told = records().filter(({ node }) => node === 'n2');
  const at = (msg: string) => told.findIndex((one) => one.msg === msg && (one.socket ?? id) === id);
  expect(at('draining')).toBeGreaterThan(-1);
  expect(at('draining')).toBeLessThan(at('socket disconnected'));
});
