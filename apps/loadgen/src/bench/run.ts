import { randomBytes } from 'node:crypto';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { type BenchSetting, compileLimit, pinTo, type Variant } from '../servers/variants.ts';
import { FRAME_BYTES } from '../targets/message.ts';
import type { EngineSettings } from '../wire/raw-socket.ts';
import { WorkerPool } from '../workers/pool.ts';
import { measureConnections } from './connections.ts';
import { type DeliveryOutcome, measureDelivery, SMALL_ROOM } from './delivery.ts';
import type { BenchOptions } from './options.ts';
import { measurePublishCost } from './publish-cost.ts';
import { measurePublish } from './publish-latency.ts';
import { type BenchResult, benchResult } from './result.ts';

const DELIVERY: readonly Variant[] = ['ours', 'stock', 'rawWs', 'limit'];
const LOAD_SOCKETS = 500;

/** Runs the parts that the options ask for and returns what they measured. */
export const runBench = async (
  options: BenchOptions,
  progress: (line: string) => void,
): Promise<BenchResult> => {
  const cores = availableParallelism();
  const [serverPin, loadPin] = await Promise.all([pinTo(0, cores), pinTo(1, cores)]);
  await using limit = await compileLimit();
  const setting: BenchSetting = {
    tokenSecret: randomBytes(32).toString('hex'),
    pinned: serverPin,
    limitProgram: limit.program,
  };
  const result: BenchResult = {
    date: new Date().toISOString(),
    quick: options.quick,
    machine: describeMachine(cores),
    settings: {
      'pinned to cores': serverPin.length > 0 ? 'server 0, load generator 1' : 'no',
      'frame on the wire': `${FRAME_BYTES} bytes`,
    },
  };
  const wants = (part: BenchOptions['parts'][number]) => options.parts.includes(part);
  if (wants('delivery') || wants('connections')) {
    await using pool = new WorkerPool(1, loadPin);
    const tools = { pool, progress };
    if (wants('delivery')) {
      const variants = options.quick ? DELIVERY : [...DELIVERY, 'fanoutOff' as const];
      const outcome = await measureDelivery({ ...options, variants }, setting, tools);
      result.delivery = outcome.delivery;
      result.smallRooms = outcome.smallRooms;
      Object.assign(result.settings, describeServers(options, outcome));
    }
    if (wants('connections')) {
      const variants: readonly Variant[] = options.quick
        ? ['ours', 'stock']
        : ['ours', 'handlers', 'stock', 'rawWs'];
      const { connections, connectionRounds: rounds } = options;
      Object.assign(result, await measureConnections({ variants, connections, rounds }, setting, tools));
    }
  }
  if (wants('publish')) {
    const plan = {
      durationMs: options.publishMs,
      perSecond: options.publishPerSecond,
      loadSockets: LOAD_SOCKETS,
    };
    result.publish = await measurePublish(plan, setting.tokenSecret, progress);
  }
  if (wants('publishCost')) {
    result.publishCost = await measurePublishCost(options, setting, progress);
  }
  return benchResult.parse(result);
};

const describeMachine = (cores: number): BenchResult['machine'] => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release()}`,
  node: process.version,
});

/** What ours and stock had in common, from their own mouths; different settings end the run. */
const describeServers = (
  options: BenchOptions,
  { engines, limit }: DeliveryOutcome,
): Record<string, string> => {
  const told = [...engines].map(([variant, engine]) => ({ variant, text: describeEngine(engine) }));
  const [first] = told;
  const other = told.find(({ text }) => text !== first?.text);
  if (first && other) {
    throw new Error(
      `${first.variant} (${first.text}) and ${other.variant} (${other.text}) have different settings`,
    );
  }
  return {
    'Engine.IO, ours and stock': first?.text ?? '',
    adapter: 'Redis, a server of its own for each',
    compression: 'off',
    rooms: `1 of ${options.sockets}; ${options.sockets / SMALL_ROOM} of ${SMALL_ROOM}`,
    limit,
  };
};

const describeEngine = ({ pingInterval, pingTimeout, maxPayload }: EngineSettings): string =>
  `ping every ${pingInterval} ms, timeout ${pingTimeout} ms, messages to ${maxPayload} bytes`;
