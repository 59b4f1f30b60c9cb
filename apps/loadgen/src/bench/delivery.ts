import { setTimeout as delay } from 'node:timers/promises';
import { cpuBetween, readProcess } from '../measure/processes.ts';
import type { Target } from '../servers/target.ts';
import { type BenchSetting, startVariant, type Variant, WIRE } from '../servers/variants.ts';
import { FRAME_BYTES } from '../targets/message.ts';
import type { EngineSettings } from '../wire/raw-socket.ts';
import type { CollectResult } from '../workers/calls.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { openAll } from './connections.ts';
import { deliveryFigures, RoundLog } from './figures.ts';
import type { BenchResult, DeliveryFigures } from './result.ts';

/** Members of a small room. */
export const SMALL_ROOM = 5;
const HEADER_BYTES = 4;
/** Rest after every tick, the same for all: the receivers catch up, so no server ever waits for them. */
const GAP_MS = 10;
const WARM_UP_MS = 600;
const COLLECT_MS = 20_000;

export interface DeliveryPlan {
  variants: readonly Variant[];
  sockets: number;
  rounds: number;
  /** How long a server broadcasts in one turn. */
  passMs: number;
}

/** What a server is asked to do in one turn: broadcast so many messages a tick, to everybody or to small rooms. */
const PATTERNS = [
  { key: 'delivery.single', perTick: 1, small: false },
  { key: 'delivery.batch10', perTick: 10, small: false },
  { key: 'smallRooms.single', perTick: 1, small: true },
  { key: 'smallRooms.batch10', perTick: 10, small: true },
] as const;
type Pattern = (typeof PATTERNS)[number];
const [single, batch10, smallSingle, smallBatch10] = PATTERNS;

const kernelOf = ({ key }: Pattern): string => `${key}.kernel`;

type Deliveries = NonNullable<BenchResult['delivery']>;

export interface DeliveryOutcome {
  delivery: Deliveries;
  smallRooms: Deliveries;
  /** What each Socket.IO server said of its settings in the handshake. */
  engines: Map<Variant, EngineSettings>;
  /** Which program the limit was. */
  limit: string;
}

interface Runner {
  variant: Variant;
  target: Target;
  last: number;
}

/**
 * Server CPU per delivery. All servers stay up with their connections, and take turns: A B C D A B C D.
 * Everything sent must have arrived, in order and once, or the run fails.
 */
export const measureDelivery = async (
  plan: DeliveryPlan,
  setting: BenchSetting,
  tools: { pool: WorkerPool; progress: (line: string) => void },
): Promise<DeliveryOutcome> => {
  const { pool, progress } = tools;
  await using stack = new AsyncDisposableStack();
  const engines = new Map<Variant, EngineSettings>();
  const runners: Runner[] = [];
  for (const variant of plan.variants) {
    progress(`starting ${variant} with ${plan.sockets} connections`);
    const { target } = stack.use(await startVariant(variant, setting));
    if (WIRE[variant] === 'socketio') await target.deal(plan.sockets / SMALL_ROOM);
    stack.defer(async () => void (await pool.ask(0, 'close', { group: variant })));
    const { engine } = await openAll(variant, target, { group: variant, count: plan.sockets, setting, pool });
    if (engine) engines.set(variant, engine);
    runners.push({ variant, target, last: 0 });
  }
  const log = new RoundLog();
  for (let round = 0; round <= plan.rounds; round++) {
    const warmUp = round === 0;
    const passMs = warmUp ? Math.min(WARM_UP_MS, plan.passMs) : plan.passMs;
    for (const pattern of PATTERNS) {
      for (const runner of runners) {
        const { cost, kernel, blocked } = await pass(runner, { ...plan, passMs }, { pattern, pool });
        const what = `${pattern.key} ${runner.variant}`;
        if (blocked > 0) progress(`${what}: the receivers were too slow ${blocked} times`);
        if (warmUp) continue;
        log.add(pattern.key, runner.variant, cost);
        log.add(kernelOf(pattern), runner.variant, kernel);
        progress(`round ${round} of ${plan.rounds}, ${what}: ${cost.toFixed(2)} µs per delivery`);
      }
    }
  }
  const limit = runners.find(({ variant }) => variant === 'limit')?.target.detail ?? '';
  const figures = (pattern: Pattern): DeliveryFigures =>
    deliveryFigures(log.rounds(pattern.key), log.rounds(kernelOf(pattern)));
  return {
    delivery: { single: figures(single), batch10: figures(batch10) },
    smallRooms: { single: figures(smallSingle), batch10: figures(smallBatch10) },
    engines,
    limit,
  };
};

/** One turn of one server: µs of its CPU per delivery, in all and in the kernel; how often it waited for a receiver. */
const pass = async (
  runner: Runner,
  plan: DeliveryPlan,
  { pattern, pool }: { pattern: Pattern; pool: WorkerPool },
): Promise<{ cost: number; kernel: number; blocked: number }> => {
  const { variant, target } = runner;
  const rooms = pattern.small ? plan.sockets / SMALL_ROOM : 1;
  const before = await readProcess(target.pid);
  const order = { rooms, perTick: pattern.perTick, ms: plan.passMs, gapMs: GAP_MS };
  const { last, blocked } = await target.ticks(order);
  const heard = await pool.ask(0, 'collect', {
    group: variant,
    streams: { 0: { last, refused: [] } },
    waitMs: COLLECT_MS,
  });
  const after = await readProcess(target.pid);
  assertComplete(variant, heard, last * plan.sockets);
  const deliveries = (last - runner.last) * plan.sockets;
  runner.last = last;
  // What the kernel still has to free for this server must not be counted with the next one's turn.
  await delay(GAP_MS);
  const { cpuMicros, systemMicros } = cpuBetween(before, after);
  return { cost: cpuMicros / deliveries, kernel: systemMicros / deliveries, blocked };
};

const assertComplete = (variant: Variant, heard: CollectResult, deliveries: number): void => {
  const { received, lost, duplicated, outOfOrder, misdirected, payloadBytes } = heard;
  const bytes = payloadBytes + received * HEADER_BYTES;
  const wrong = lost + duplicated + outOfOrder + misdirected + Object.keys(heard.ended).length;
  if (wrong === 0 && received === deliveries && bytes === deliveries * FRAME_BYTES) return;
  const { latencyMicros: _, ...counts } = heard;
  throw new Error(
    `${variant} did not deliver everything: expected ${deliveries}, got ${JSON.stringify(counts)}`,
  );
};
