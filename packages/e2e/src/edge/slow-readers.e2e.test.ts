import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@fanfare/client';
import { type Stack, startStack } from '@fanfare/local';
import type { EventMeta } from '@fanfare/protocol';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { openStalledClient } from '../clients/stalled-client.ts';
import { openClient, type Client as StockClient } from '../clients/stock-client.ts';
import { scrape, total } from '../cluster/metrics.ts';
import { rssOf } from '../cluster/processes.ts';

const BUDGET_BYTES = 1_048_576;
/** A message of the flood with what the cluster puts around it, at the most. */
const MESSAGE_BYTES = 1_400;
const MEGABYTE = 1_048_576;
const FLOOD = 'flood:all';
const PROBES = 'probe:all';
/** As many direct as behind nginx. */
const STALLED = 5;
const HEALTHY = 50;
/** 1,000 messages a second in batches. */
const BATCH = 50;
const BATCH_MS = 50;
const PROBE_MS = 20;
/** A flood without slow readers, which fills the rooms' logs and warms the processes up. */
const WARM_UP_MS = 3_000;
/** Kernel and nginx take several MB of each before the gateway sees that nobody reads. */
const LONGEST_MS = 25_000;

const disconnected = z.looseObject({
  msg: z.literal('socket disconnected'),
  reason: z.literal('slow_consumer'),
  user: z.string(),
});

/** When each user was cut off, in ms since the start of the flood. */
const cuts = new Map<string, number>();
let floodedAt = 0;
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({
    nodes: 2,
    env: {
      FANFARE_RETENTION: '**=50000/80mb/1h',
      // Two of them pass while a client reads nothing.
      FANFARE_PING_INTERVAL_MS: '2000',
      FANFARE_PING_TIMEOUT_MS: '4000',
      // V8 doubles its young generation to 2 × 32 MB at a moment of its own, which says nothing about slow readers.
      NODE_OPTIONS: '--max-semi-space-size=16',
    },
    onLog: ({ text }) => {
      if (!text.includes('slow_consumer')) return;
      const line = disconnected.safeParse(JSON.parse(text));
      if (line.success) cuts.set(line.data.user, Math.round(performance.now() - floodedAt));
    },
  });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

/** Calls again and again until it is disposed of; a call that takes longer is not waited for. */
const repeat = (everyMs: number, act: () => Promise<unknown>): AsyncDisposable => {
  const running = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    const one = act().finally(() => running.delete(one));
    running.add(one);
  }, everyMs);
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await Promise.all(running);
    },
  };
};

const post = async (path: string, body: unknown): Promise<void> => {
  const response = await fetch(`${stack.api.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
};

const KILOBYTE = 'x'.repeat(1_000);

/** Publishes the flood; `published()` tells how many events the cluster has taken. */
const flood = (): AsyncDisposable & { published(): number } => {
  let published = 0;
  const commands = Array.from({ length: BATCH }, () => ({
    room: FLOOD,
    event: 'flood:told',
    data: KILOBYTE,
  }));
  const running = repeat(BATCH_MS, async () => {
    await post('/v1/batch', { commands });
    published += BATCH;
  });
  return { ...running, published: () => published };
};

const p99 = (figures: readonly number[]): number =>
  figures.toSorted((a, b) => a - b)[Math.ceil(figures.length * 0.99) - 1] ?? 0;

/** The p99 of how long the healthy clients wait for a probe while something goes on, in ms. */
const measure = async (healthy: readonly StockClient[], work: () => Promise<void>): Promise<number> => {
  const figures: number[] = [];
  const note = (sentAt: number) => figures.push(performance.now() - sentAt);
  for (const { socket } of healthy) socket.on('probe:told', note);
  {
    await using _probes = repeat(PROBE_MS, () =>
      post('/v1/publish', { room: PROBES, event: 'probe:told', data: performance.now(), ephemeral: true }),
    );
    await work();
  }
  for (const { socket } of healthy) socket.off('probe:told', note);
  return p99(figures);
};

/** A client with resume that stops reading: `missing()` tells which offsets it has not heard so far. */
const openResuming = async (url: string, user: string) => {
  const client = createClient({
    url,
    token: async () => stack.issueToken({ sub: user }),
    backoff: { delayMs: 100 },
  });
  const offsets: number[] = [];
  const handle = client.join(FLOOD, {
    'flood:told': (_data: unknown, { offset = -1 }: EventMeta) => void offsets.push(offset),
  });
  await handle.joined();
  const webSocket: unknown = Reflect.get(client.socket.io.engine.transport, 'ws');
  const call = (name: string) => {
    const method: unknown = Reflect.get(Object(webSocket), name);
    if (typeof method === 'function') method.call(webSocket);
  };
  call('pause');
  return { offsets, resume: () => call('resume'), [Symbol.dispose]: () => client.close() };
};

it('clients that read nothing cost no more than their budget and are cut off, beside 50 healthy ones (G5) (T11)', async () => {
  const [node] = stack.nodes;
  if (node === undefined) throw new Error('no node');
  await using opened = new AsyncDisposableStack();
  const healthy = await Promise.all(
    Array.from({ length: HEALTHY }, async () =>
      opened.use(await openClient(stack.url, { token: stack.token, room: PROBES })),
    ),
  );
  // One of them hears the flood too.
  opened.use(await openClient(stack.url, { token: stack.token, room: FLOOD }));
  const alone = await measure(healthy, async () => {
    await using _source = flood();
    await delay(WARM_UP_MS);
  });

  const names = Array.from({ length: STALLED }, (_, n) => [`direct-${n}`, `nginx-${n}`]).flat();
  for (const sub of names) {
    const url = sub.startsWith('direct') ? node.url : stack.url;
    opened.use(await openStalledClient(url, { token: await stack.issueToken({ sub }), room: FLOOD }));
  }
  const resuming = opened.use(await openResuming(node.url, 'resuming'));
  const before = await Promise.all(stack.nodes.map(({ pid }) => rssOf(pid)));
  let [peakBytes, mostMemory] = [0, 0];
  const sample = async () => {
    for (const [n, { opsUrl, pid }] of stack.nodes.entries()) {
      peakBytes = Math.max(peakBytes, total(await scrape(opsUrl), 'fanfare_pending_bytes_peak'));
      mostMemory = Math.max(mostMemory, (await rssOf(pid)) - (before[n] ?? 0));
    }
  };

  floodedAt = performance.now();
  const source = flood();
  const beside = await measure(healthy, async () => {
    await using _source = source;
    await using _samples = repeat(200, sample);
    await eventually(() => expect([...cuts.keys()].toSorted()).toEqual([...names, 'resuming'].toSorted()), {
      timeoutMs: LONGEST_MS,
    });
  });

  const timesOf = (kind: string) => [...cuts].filter(([user]) => user.startsWith(kind)).map(([, ms]) => ms);
  const report = {
    cutDirectMs: timesOf('direct'),
    cutBehindNginxMs: timesOf('nginx'),
    peakBytes,
    memoryMegabytes: mostMemory / MEGABYTE,
    p99Ms: { alone, beside },
  };
  // What healthy clients notice is told, not judged: other tests use the machine at the same time.
  process.stdout.write(`slow readers: ${JSON.stringify(report)}\n`);
  expect(peakBytes).toBeGreaterThan(BUDGET_BYTES / 2);
  expect(peakBytes).toBeLessThanOrEqual(BUDGET_BYTES + MESSAGE_BYTES);
  expect(report.memoryMegabytes).toBeLessThanOrEqual(50);
  expect(healthy.flatMap(({ lost }) => lost)).toEqual([]);

  resuming.resume();
  await eventually(() => expect(resuming.offsets).toHaveLength(source.published()), { timeoutMs: 10_000 });
  const [first = 0] = resuming.offsets;
  expect(resuming.offsets).toEqual(resuming.offsets.map((_, n) => first + n));
}, 60_000);
