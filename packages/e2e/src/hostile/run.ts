import { setPriority } from 'node:os';
import { type Stack, startStack } from '@fanfare/local';
import { type Exit, eventually } from '@fanfare/testing';
import { createRandom } from '../chaos/random.ts';
import { type Check, judge } from '../chaos/verdict.ts';
import type { Attack, Outcome, Scale, Target } from './attack.ts';
import { ATTACKS } from './attacks/index.ts';
import { Healthy, type Window } from './healthy.ts';
import { createMemoryProbe, type Held } from './memory.ts';

/** As `nice` has it. */
const LOWEST_PRIORITY = 19;
const CLIENTS = 50;
const ROOMS = 10;
/** Attackers that the contract cuts are gone by then. */
const CUT_MS = 2000;
/** What 50 healthy clients hear of a publish within, in ms, where the machine without an attack is not half as slow. */
const HEALTHY_P99_MS = 50;
/** Enough events for a p99, however short the attack was and however busy the machine. */
const ENOUGH_HEARD = 100;
/** What a gateway may do in one go, in ms of the processor: nobody waits longer for it, however busy the machine. */
const TURN_MS = 50;
/** Nothing of an attack is left in a gateway but noise: a tenth, and caches of a fixed size. */
const MEMORY_FACTOR = 1.1;
const MEMORY_NOISE_BYTES = 4_000_000;
const MEMORY_PATIENCE_MS = 30_000;
/** Attacks are repeated for so long where latency is judged: a p99 takes hundreds of events. */
const JUDGED_MS = 6000;
/** Those who were cut are back after so long, as a stock client would be. */
const BACK_MS = 1000;

/** What came of an attack. */
export interface Row {
  attack: string;
  ok: boolean;
  sent: number;
  tookMs: number;
  healthy: Window;
  /** The most of the processor that a gateway used without a look at its timers, in ms: what all of its clients waited. */
  loopMs: number;
  slowestCutMs: number | undefined;
  /** The most that a gateway held after collection, over what it held before the first attack. */
  memory: number;
  checks: (Check & { ok: boolean })[];
}

export interface Report {
  seed: number;
  ok: boolean;
  calm: Window;
  rows: Row[];
}

export interface RunOptions {
  seed: number;
  scale: Scale;
  /** Attacks whose name holds one of these; default all. */
  only?: readonly string[];
  /** How long the healthy clients are measured without an attack, in ms. */
  calmMs: number;
  /**
   * Whether the latency of the healthy clients is judged too: that takes a machine with nothing else to do. Attackers have
   * machines of their own, so these get what the others leave of the processors, and so does a thread that only counts
   * while the clients are measured without an attack. Takes the priority of this thread for good.
   */
  judgesLatency: boolean;
  onProgress?: (line: string) => void;
}

type Probe = ReturnType<typeof createMemoryProbe>;

export const runHostile = async (options: RunOptions): Promise<Report> => {
  const { seed, scale, onProgress = () => undefined } = options;
  const chosen = ATTACKS.filter(
    ({ name }) => !options.only?.length || options.only.some((word) => name.includes(word)),
  );
  if (chosen.length === 0) throw new Error(`There is no attack called ${options.only?.join(' or ')}`);
  const exits: { name: string; exit: Exit }[] = [];
  const probe = createMemoryProbe();
  await using stack = await startStack({
    nodes: 2,
    env: {
      ...probe.env,
      FANFARE_HTTP_HEADERS_TIMEOUT_MS: '1000',
      FANFARE_CONNECT_TIMEOUT_MS: '1000',
    },
    onLog: probe.hear,
    onExit: (name, exit) => exits.push({ name, exit }),
  });
  const { url, apiKey, token } = stack;
  const nodes = stack.nodes.map((node) => node.url);
  await using healthy = await Healthy.start({ url, apiKey, token, nodes, clients: CLIENTS, rooms: ROOMS });
  if (options.judgesLatency) setPriority(LOWEST_PRIORITY);
  await elapsed(options.calmMs / 2);
  await healthy.window();
  await (options.judgesLatency ? busy(options.calmMs) : elapsed(options.calmMs));
  const calm = await healthy.window();
  const before = (await askAll(stack, probe)).map(({ bytes }) => bytes);
  onProgress(`without an attack: ${describe(calm)}`);
  const p99Ms = options.judgesLatency ? Math.max(HEALTHY_P99_MS, 2 * calm.p99) : Number.POSITIVE_INFINITY;
  const rows: Row[] = [];
  for (const attack of chosen) {
    const target = { stack, scale, random: createRandom(seed + rows.length) };
    const minMs = options.judgesLatency ? JUDGED_MS : 0;
    const row = await carryOut(attack, { target, healthy, minMs, p99Ms, before, probe, exits });
    rows.push(row);
    onProgress(`${row.ok ? 'ok    ' : 'NOT OK'} ${attack.name}: ${describeRow(row)}`);
  }
  return { seed, ok: rows.every((row) => row.ok), calm, rows };
};

// A rate and its latency are measured in time.
const elapsed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Takes what is left of a processor. */
const busy = async (ms: number): Promise<void> => {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const pause = performance.now() + 10;
    while (performance.now() < pause);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const askAll = (stack: Stack, probe: Probe): Promise<Held[]> =>
  Promise.all(stack.nodes.map((node) => probe.held(node)));

/** Attacks again until the time is over. */
const repeat = async (attack: Attack, target: Target, minMs: number): Promise<Outcome> => {
  const until = performance.now() + minMs;
  let all = await attack.run(target);
  while (performance.now() + BACK_MS < until) {
    await elapsed(BACK_MS);
    const { sent, cutMs, checks } = await attack.run(target);
    all = {
      sent: all.sent + sent,
      ...(cutMs !== undefined && { cutMs: [...(all.cutMs ?? []), ...cutMs] }),
      ...(checks !== undefined && { checks: [...(all.checks ?? []), ...checks] }),
    };
  }
  return all;
};

const carryOut = async (
  attack: Attack,
  run: {
    target: Target;
    healthy: Healthy;
    minMs: number;
    p99Ms: number;
    before: readonly number[];
    probe: Probe;
    exits: readonly { name: string; exit: Exit }[];
  },
): Promise<Row> => {
  const { target, healthy, minMs, p99Ms, before, probe, exits } = run;
  await healthy.window();
  const began = performance.now();
  const outcome = await repeat(attack, target, minMs);
  const tookMs = Math.round(performance.now() - began);
  await elapsed(Math.max(0, 1500 - tookMs));
  const window = await healthy.window(ENOUGH_HEARD);
  const growth = await settledGrowth(target.stack, { probe, before });
  const checks = checksOf(attack, { outcome, window, p99Ms, growth, exits }).map(judge);
  return {
    attack: attack.name,
    ok: checks.every((check) => check.ok),
    sent: outcome.sent,
    tookMs,
    healthy: window,
    loopMs: growth.loopMs,
    slowestCutMs: outcome.cutMs && Math.max(...outcome.cutMs),
    memory: growth.worst,
    checks,
  };
};

/** What gateways hold once it is down where it was, or after a while whatever it is. */
const settledGrowth = async (
  stack: Stack,
  { probe, before }: { probe: Probe; before: readonly number[] },
): Promise<{ worst: number; excess: number; loopMs: number }> => {
  // A gateway that cannot be asked has not passed.
  let growth = { worst: Number.POSITIVE_INFINITY, excess: Number.POSITIVE_INFINITY };
  let loopMs: number | undefined;
  const assertBack = async () => {
    const asked = await askAll(stack, probe);
    // Later answers tell of the time after the attack.
    loopMs ??= Math.max(...asked.map((held) => held.loopMs));
    const now = asked.map(({ bytes }) => bytes);
    const of = (i: number) => before[i] ?? 0;
    growth = {
      worst: Math.max(...now.map((bytes, i) => bytes / of(i))),
      excess: Math.max(0, ...now.map((bytes, i) => bytes - of(i) * MEMORY_FACTOR - MEMORY_NOISE_BYTES)),
    };
    if (growth.excess > 0) throw new Error(`${growth.excess} bytes too many`);
  };
  await eventually(assertBack, { timeoutMs: MEMORY_PATIENCE_MS }).catch(() => undefined);
  return { ...growth, loopMs: loopMs ?? Number.POSITIVE_INFINITY };
};

const checksOf = (
  attack: Attack,
  seen: {
    outcome: Outcome;
    window: Window;
    /** The most that it may be. */
    p99Ms: number;
    growth: { excess: number; loopMs: number };
    exits: readonly unknown[];
  },
): Check[] => {
  const { outcome, window, p99Ms, growth, exits } = seen;
  return [
    { name: 'processes that exited', value: exits.length, exactly: 0 },
    { name: 'bytes held above a tenth more than before', value: growth.excess, exactly: 0 },
    { name: 'longest turn of a gateway, ms', value: growth.loopMs, atMost: TURN_MS },
    { name: 'healthy p99, ms', value: window.p99, atMost: p99Ms },
    { name: 'events heard by the healthy', value: window.heard, atLeast: ENOUGH_HEARD },
    { name: 'healthy clients disconnected', value: window.disconnects, exactly: 0 },
    { name: 'publishes refused', value: window.refused, exactly: 0 },
    { name: 'events unheard', value: window.unheard, ...(attack.mayForge !== true && { exactly: 0 }) },
    ...(outcome.cutMs === undefined
      ? []
      : [
          { name: 'slowest cut, ms', value: Math.max(...outcome.cutMs), atMost: CUT_MS },
          // One that was gone before its first blow shows nothing.
          { name: 'fastest cut, ms', value: Math.min(...outcome.cutMs), atLeast: 0 },
        ]),
    ...(outcome.checks ?? []),
  ];
};

const describe = ({ heard, p50, p99, max }: Window): string =>
  `heard ${heard}, p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`;

const describeRow = (row: Row): string => {
  const wrong = row.checks.filter((check) => !check.ok).map(({ name, value }) => `${name} ${value}`);
  const cut = row.slowestCutMs === undefined ? '' : `, cut within ${Math.round(row.slowestCutMs)} ms`;
  return `${row.sent} sent in ${(row.tookMs / 1000).toFixed(1)} s${cut}, memory × ${row.memory.toFixed(2)}, loop ${Math.round(row.loopMs)} ms, ${describe(row.healthy)}${wrong.length > 0 ? `; ${wrong.join(', ')}` : ''}`;
};
