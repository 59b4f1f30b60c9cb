import { setTimeout as delay } from 'node:timers/promises';
import { readProcess } from '../measure/processes.ts';
import type { Target } from '../servers/target.ts';
import { type BenchSetting, startVariant, type Variant, WIRE } from '../servers/variants.ts';
import type { ConnectResult } from '../workers/calls.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { comparedFigures, RoundLog } from './figures.ts';
import type { BenchResult } from './result.ts';

export interface ConnectionPlan {
  variants: readonly Variant[];
  connections: number;
  rounds: number;
}

/** The first connections of a fresh process, whose code is still interpreted and whose pools are empty. */
const FIRST = 3_000;
/**
 * Opened after these and those that are left idle, until the code of the way in is compiled again: V8 forgets much of it
 * in the garbage collections that the memory is read after. Some connections are open at any time, as in a server in use.
 */
const WARM_UP = { turns: 8, connections: 2_500 };
/** A run of few connections tries the benchmark and not the server: it opens no more than so many times as much for that. */
const MOST_BESIDE = 10;
const CONCURRENCY = 32;
/** What a server does after its last answer (timers, other connections of its own) belongs to the connection. */
const SETTLE_MS = 300;
/** Share of a core that a server without connections may use: timers, heartbeats. */
const RESTING_CPU = 0.02;

/** What a connection costs: server CPU to open it, heap and resident memory while it is idle. */
export const measureConnections = async (
  plan: ConnectionPlan,
  setting: BenchSetting,
  tools: { pool: WorkerPool; progress: (line: string) => void },
): Promise<Required<Pick<BenchResult, 'idle' | 'connect'>>> => {
  const log = new RoundLog();
  for (let round = 1; round <= plan.rounds; round++) {
    for (const variant of plan.variants) {
      const cost = await measureOne(variant, plan.connections, { setting, pool: tools.pool });
      for (const [measurement, value] of Object.entries(cost)) log.add(measurement, variant, value);
      tools.progress(
        `round ${round} of ${plan.rounds}, ${plan.connections} connections, ${variant}: ` +
          `${cost.cpuUs.toFixed(0)} µs to open (the first ${cost.firstCpuUs.toFixed(0)}), ${cost.heapKb.toFixed(2)} KB heap, ${cost.rssKb.toFixed(2)} KB RSS each`,
      );
    }
  }
  return {
    idle: {
      connections: plan.connections,
      heapKbPerConnection: comparedFigures(log.rounds('heapKb')),
      rssKbPerConnection: comparedFigures(log.rounds('rssKb')),
    },
    connect: {
      cpuUs: comparedFigures(log.rounds('cpuUs')),
      firstCpuUs: comparedFigures(log.rounds('firstCpuUs')),
      perSecond: comparedFigures(log.rounds('perSecond')),
    },
  };
};

const measureOne = async (
  variant: Variant,
  connections: number,
  { setting, pool }: { setting: BenchSetting; pool: WorkerPool },
) => {
  await using running = await startVariant(variant, setting, { driven: false });
  const { target } = running;
  const open = async (group: string, count: number) => {
    const before = await readProcess(target.pid);
    const { ms } = await openAll(variant, target, { group, count, setting, pool });
    await delay(SETTLE_MS);
    const after = await readProcess(target.pid);
    return { ms, cpuUs: (after.cpuMicros - before.cpuMicros) / count };
  };
  const close = (group: string) => pool.ask(0, 'close', { group });
  const beside = (count: number) => Math.min(count, MOST_BESIDE * connections);
  const first = await open('first', beside(FIRST));
  await close('first');
  await rest(target.pid);
  const empty = await target.memory();
  const before = await readProcess(target.pid);
  await open('turn 0', connections);
  const full = await target.memory();
  const settled = await readProcess(target.pid);
  for (let turn = 1; turn <= WARM_UP.turns; turn++) {
    await open(`turn ${turn}`, beside(WARM_UP.connections));
    await close(`turn ${turn - 1}`);
  }
  await rest(target.pid);
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      for (const group of ['counted', `turn ${WARM_UP.turns}`]) await close(group);
    },
  };
  const opened = await open('counted', connections);
  return {
    cpuUs: opened.cpuUs,
    firstCpuUs: first.cpuUs,
    perSecond: connections / (opened.ms / 1_000),
    heapKb: (full.heapUsed - empty.heapUsed) / 1_024 / connections,
    rssKb: (settled.rssBytes - before.rssBytes) / 1_024 / connections,
  };
};

/** Resolves once a process has nothing left to do: closing what was opened must not count as opening. */
const rest = async (pid: number): Promise<void> => {
  for (let last = await readProcess(pid); ; ) {
    await delay(SETTLE_MS);
    const now = await readProcess(pid);
    if (now.cpuMicros - last.cpuMicros < RESTING_CPU * SETTLE_MS * 1_000) return;
    last = now;
  }
};

/** Opens connections to a server; throws unless it takes all of them. */
export const openAll = async (
  variant: Variant,
  target: Target,
  order: { group: string; count: number; setting: BenchSetting; pool: WorkerPool },
): Promise<ConnectResult> => {
  const { group, count, setting, pool } = order;
  const result = await pool.ask(0, 'connect', {
    group,
    servers: [{ host: '127.0.0.1', port: target.port }],
    mode: WIRE[variant],
    count,
    first: 0,
    step: 1,
    streams: 1,
    concurrency: CONCURRENCY,
    tokenSecret: setting.tokenSecret,
  });
  if (result.opened === count) return result;
  throw new Error(
    `${variant} took ${result.opened} of ${count} connections: ${JSON.stringify(result.failures)}`,
  );
};
