import { type LogLine, type Stack, startStack } from '@fanfare/local';
import { eventually, type ManagedProcess } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Client, openClient } from '../clients/stock-client.ts';
import { READY, REDIS_AWAY, readinessOf } from './app-process.ts';
import { publish as publishTo } from './http-api.ts';
import { type Sample, scrape, scrapeAll, total } from './metrics.ts';

const ROOM = 'test:outage';
const OUTAGE_MS = 5000;
const RECOVERY_MS = 2000;
const NAMESPACES = ['/', '/chat'];

const logged: LogLine[] = [];
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    nodes: 2,
    env: { FANFARE_NAMESPACES: NAMESPACES.join() },
    onLog: (line) => logged.push(line),
  });
});
afterAll(() => stack[Symbol.asyncDispose]());

const connectTo = (url: string, namespace = '/', awaits: 'connection' | 'room' = 'room'): Promise<Client> =>
  openClient(url, { token: stack.token, room: ROOM, namespace, awaits, transports: ['websocket'] });

const urlOf = (id: string): string => stack.nodes.find((node) => node.id === id)?.url ?? '';
const processes = () => [stack.api.process, ...stack.nodes.map(({ process }) => process)];
const opsUrls = () => [stack.api.opsUrl, ...stack.nodes.map(({ opsUrl }) => opsUrl)];

const publish = (data: unknown, namespace = '/'): Promise<number> =>
  publishTo(stack, { room: ROOM, data, namespace });

const killRedis = async () => {
  stack.redis.kill('SIGKILL');
  await stack.redis.process.exited;
};

const expectPromptEnd = async (process: ManagedProcess): Promise<void> => {
  const asked = performance.now();
  process.kill('SIGTERM');
  expect(await process.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - asked).toBeLessThan(RECOVERY_MS);
};

/** What each tells its room reaches the other, and what the api publishes reaches both. */
const expectConnected = async (one: Client, other: Client, mark: string): Promise<void> => {
  await Promise.all([one.tell(`${mark} of one`), other.tell(`${mark} of other`)]);
  expect(await publish(`${mark} of the api`)).toBe(200);
  const all = ['one', 'other', 'the api'].map((who) => `${mark} of ${who}`);
  const hearings = [one, other].flatMap((client) =>
    all.map((told) => client.hears(told, { timeoutMs: 250 })),
  );
  await Promise.all(hearings);
};

test('Redis away for 5 s ends no process, stops nothing local, and all is well within 2 s of its return (C1)', async () => {
  await using alice = await connectTo(urlOf('n1'));
  await using bob = await connectTo(urlOf('n1'));
  await using carol = await connectTo(urlOf('n2'));
  await eventually(() => expectConnected(alice, carol, 'before'));
  const pids = processes().map(({ pid }) => pid);

  await killRedis();
  const gone = performance.now();
  const local = async () => {
    let count = 0;
    for (; performance.now() - gone < OUTAGE_MS; count++) {
      await alice.signal(count);
      await bob.hears(count);
    }
    return count;
  };
  const delivering = local();
  const ready = () => Promise.all(opsUrls().map(readinessOf));
  await eventually(async () => expect(await ready()).toEqual(opsUrls().map(() => REDIS_AWAY)));
  const samples = await scrapeAll(stack.nodes);
  expect(samples.filter(({ name }) => name === 'fanfare_redis_up').map(({ value }) => value)).toEqual([0, 0]);
  expect(total(samples, 'fanfare_bus_publish_dropped_total')).toBeGreaterThan(0);
  await using newcomer = await connectTo(stack.url, '/', 'connection');
  expect(await publish('lost')).toBe(503);
  expect(await delivering).toBeGreaterThan(10);
  expect(await ready()).toEqual(opsUrls().map(() => REDIS_AWAY));

  await stack.redis.restart();
  let attempts = 0;
  const isWell = async () => {
    attempts += 1;
    await expectConnected(alice, carol, `attempt ${attempts}`);
    expect(await ready()).toEqual(opsUrls().map(() => READY));
  };
  await eventually(isWell, { timeoutMs: RECOVERY_MS });
  await eventually(() => expect(newcomer.joins).toBe(1));
  await alice.tell('to the newcomer');
  await newcomer.hears('to the newcomer');
  expect(processes().map(({ pid, isRunning }) => ({ pid, isRunning }))).toEqual(
    pids.map((pid) => ({ pid, isRunning: true })),
  );
  expect([alice, bob, carol, newcomer].map(({ lost }) => lost)).toEqual([[], [], [], []]);
  expect(carol.heard).not.toContain(0);
});

const listening = z.object({ msg: z.literal('listening'), port: z.int(), opsPort: z.int() });
const away = z.object({ level: z.literal('warn'), msg: z.literal('redis is away: delivering locally only') });

/** The first record of a node's log that fits. */
const recordOf = <T>(id: string, schema: z.ZodType<T>): Promise<T> =>
  eventually(
    () => {
      const records = logged.filter(({ process, text }) => process === id && text.startsWith('{'));
      const found = records.map(({ text }) => schema.safeParse(JSON.parse(text))).find((one) => one.success);
      if (!found?.data) throw new Error(`${id} has not logged it`);
      return found.data;
    },
    { timeoutMs: 15_000 },
  );

test('a gateway that starts while Redis is away serves, says so, and recovers (C1)', async () => {
  await using alice = await connectTo(urlOf('n1'));
  await killRedis();
  const starting = stack.startNode('n3');
  const { port, opsPort } = await recordOf('n3', listening);
  const opsUrl = `http://127.0.0.1:${opsPort}`;
  await recordOf('n3', away);
  expect(await readinessOf(opsUrl)).toEqual(REDIS_AWAY);
  expect(await scrape(opsUrl)).toContainEqual(
    expect.objectContaining({ name: 'fanfare_redis_up', value: 0 }),
  );
  await using bob = await connectTo(`http://127.0.0.1:${port}`, '/', 'connection');
  const asked = await bob.socket.timeout(5000).emitWithAck('room:join', { room: ROOM });
  expect(asked).toMatchObject({ ok: false, error: { code: 'unavailable', retryable: true } });

  await stack.redis.restart();
  let attempts = 0;
  const isWell = async () => {
    attempts += 1;
    expect(bob.joins).toBe(1);
    await expectConnected(alice, bob, `attempt ${attempts}`);
    expect(await readinessOf(opsUrl)).toEqual(READY);
  };
  await eventually(isWell, { timeoutMs: RECOVERY_MS });
  await starting;
  expect([alice, bob].map(({ lost }) => lost)).toEqual([[], []]);
});

test('Redis that hangs is told of, stops nothing local, and all is well within 2 s of its return (C1)', async () => {
  const node = stack.nodes.find(({ id }) => id === 'n3') ?? (await stack.startNode('n3'));
  await using alice = await connectTo(urlOf('n1'));
  await using bob = await connectTo(urlOf('n1'));
  await using carol = await connectTo(urlOf('n2'));
  await using dave = await connectTo(node.url);
  stack.redis.kill('SIGSTOP');
  const ready = () => Promise.all(opsUrls().map(readinessOf));
  await eventually(async () => expect(await ready()).toEqual(opsUrls().map(() => REDIS_AWAY)));
  await alice.signal('meanwhile');
  await bob.hears('meanwhile');
  expect(await publish('unknown')).toBe(503);
  await expectPromptEnd(node.process);
  expect(dave.lost).toEqual(['transport close']);

  stack.redis.kill('SIGCONT');
  let attempts = 0;
  const isWell = async () => {
    attempts += 1;
    await expectConnected(alice, carol, `attempt ${attempts}`);
    expect(await readinessOf(stack.api.opsUrl)).toEqual(READY);
  };
  await eventually(isWell, { timeoutMs: RECOVERY_MS });
  expect([alice, bob, carol].map(({ lost }) => lost)).toEqual([[], [], []]);
});

test('a gateway whose Redis is away ends on SIGTERM at once and with 0 (C1)', async () => {
  const node = await stack.startNode('n3');
  await using alice = await connectTo(node.url);
  await killRedis();
  await eventually(async () => expect(await readinessOf(node.opsUrl)).toEqual(REDIS_AWAY));
  await expectPromptEnd(node.process);
  expect(alice.lost).toEqual(['transport close']);
  await stack.redis.restart();
});

/** Nothing of this is a message of the adapter on any of its channels. */
const HOSTILE: readonly (Buffer | string)[] = [
  Buffer.from([0xc1]),
  '',
  '{',
  '{}',
  'null',
  '[]',
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, -1].map((type) => JSON.stringify({ type })),
  '{"type":5,"opts":{"rooms":1}}',
  '{"type":6,"data":["connection",1]}',
  Buffer.alloc(3000, 0x91),
  // msgpack of ['x', {type: 2, data: ['disconnect'], nsp: '/'}, {rooms: []}]
  Buffer.from('93a17883a47479706502a46461746191aa646973636f6e6e656374a36e7370a12f81a5726f6f6d7390', 'hex'),
];

/** What must stay as it is; of the rest of the metrics, time alone changes some. */
const lastingMetrics = (samples: readonly Sample[]): Sample[] =>
  samples.filter(
    ({ name }) => /^(socket_io|fanfare)_/.test(name) && name !== 'fanfare_bus_invalid_messages_total',
  );

test('garbage on every channel of the adapter, of every namespace, changes nothing but a counter (C1)', async () => {
  const nodes = stack.nodes.filter(({ process }) => process.isRunning);
  await eventually(async () =>
    expect(await Promise.all(nodes.map(({ opsUrl }) => readinessOf(opsUrl)))).toEqual(nodes.map(() => READY)),
  );
  await using owner = new AsyncDisposableStack();
  const places = nodes.flatMap(({ url }) => NAMESPACES.map((namespace) => ({ url, namespace })));
  const clients = await Promise.all(
    places.map(async ({ url, namespace }) => owner.use(await connectTo(url, namespace))),
  );
  const redis = owner.adopt(new Redis(stack.redis.url), (client) => client.disconnect());
  const subscribed = z.array(z.string()).parse(await redis.call('PUBSUB', 'CHANNELS', 'socket.io-*'));
  const broadcast = NAMESPACES.flatMap((nsp) => [`socket.io#${nsp}#`, `socket.io#${nsp}#${ROOM}#`]);
  // Of each namespace a request channel, a response channel, and one for the responses to each node.
  expect(subscribed).toHaveLength(NAMESPACES.length * (2 + nodes.length));

  const before = await scrapeAll(nodes);
  let delivered = 0;
  for (const channel of [...broadcast, ...subscribed]) {
    for (const message of HOSTILE) delivered += await redis.publish(channel, message);
  }
  const invalid = (samples: readonly Sample[]) => total(samples, 'fanfare_bus_invalid_messages_total');
  const after = await eventually(async () => {
    const samples = await scrapeAll(nodes);
    expect(invalid(samples) - invalid(before)).toBe(delivered);
    return samples;
  });
  expect(delivered).toBeGreaterThanOrEqual(HOSTILE.length * (broadcast.length * 2 + subscribed.length));
  expect(lastingMetrics(after)).toEqual(lastingMetrics(before));

  for (const namespace of NAMESPACES) expect(await publish('after', namespace)).toBe(200);
  await Promise.all(clients.map((client) => client.hears('after')));
  expect(clients.map(({ heard, lost }) => ({ heard, lost }))).toEqual(
    clients.map(() => ({ heard: ['after'], lost: [] })),
  );
  expect(nodes.every(({ process }) => process.isRunning)).toBe(true);
});
