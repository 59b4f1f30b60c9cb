import { fileURLToPath } from 'node:url';
import { RedisServer } from '@fanfare/testing';
import { Histogram } from '../measure/histogram.ts';
import { readProcess } from '../measure/processes.ts';
import { Target } from '../servers/target.ts';
import { gatewayCommand, gatewayEnv } from '../servers/variants.ts';
import { WorkerPool } from '../workers/pool.ts';
import { latencyFigures } from './figures.ts';
import type { BenchResult } from './result.ts';

export interface PublishPlan {
  /** How long each of the two measurements lasts. */
  durationMs: number;
  /** Messages per second whose latency is measured. */
  perSecond: number;
  /** Connections of the room that keeps the gateway busy. */
  loadSockets: number;
}

/** Share of one core that the loaded gateway uses. */
const WANTED_LOAD = 0.6;
const CALIBRATE_MS = 2_500;
const CALIBRATIONS = 2;
const FIRST_GUESS_PER_SECOND = 20;
const COLLECT_MS = 10_000;
const DATA_BYTES = 100;
const API_KEY = 'bench-key-of-the-publisher';
const API = fileURLToPath(new URL('../../../api/src/main.ts', import.meta.url));

/** Two gateways and an api; what is published is heard by clients of the first gateway. */
interface Cluster {
  listener: Target;
  api: Target;
  pool: WorkerPool;
  tokenSecret: string;
}

/** Sockets in rooms, and the load worker that opens them and publishes to them. */
interface Audience {
  worker: number;
  room: string;
  rooms: number;
  sockets: number;
}

/**
 * Time from the moment a backend should send `POST /v1/publish` until a client of a gateway has the event: on an
 * idle cluster, and while that gateway spends 60 % of a core on delivering other messages.
 */
export const measurePublish = async (
  plan: PublishPlan,
  tokenSecret: string,
  progress: (line: string) => void,
): Promise<NonNullable<BenchResult['publish']>> => {
  progress('starting two gateways and an api');
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster(stack, tokenSecret);
  // Two load workers: what keeps the gateway busy is received apart from what is timed.
  const timed: Audience = { worker: 0, room: 'probe:{n}', rooms: 10, sockets: 20 };
  const busy: Audience = { worker: 1, room: 'load:{n}', rooms: 1, sockets: plan.loadSockets };
  const probe = (durationMs: number) => publishTo(cluster, timed, { perSecond: plan.perSecond, durationMs });
  const calibrateMs = Math.min(CALIBRATE_MS, plan.durationMs);
  await probe(calibrateMs);
  progress(`timing ${plan.perSecond} publishes a second on an idle cluster for ${plan.durationMs / 1_000} s`);
  const idle = await probe(plan.durationMs);

  let perSecond = FIRST_GUESS_PER_SECOND;
  for (let step = 0; step < CALIBRATIONS; step++) {
    const { share } = await publishTo(cluster, busy, { perSecond, durationMs: calibrateMs });
    perSecond = Math.max(1, (perSecond * WANTED_LOAD) / share);
  }
  progress(`the same beside ${Math.round(perSecond * plan.loadSockets)} deliveries a second`);
  const [load, loaded] = await Promise.all([
    publishTo(cluster, busy, { perSecond, durationMs: plan.durationMs }),
    probe(plan.durationMs),
  ]);
  return {
    latencyMs: latencyFigures(idle.latency),
    underLoad: { ...latencyFigures(loaded.latency), gatewayCpuPercent: Math.round(load.share * 100) },
  };
};

const startCluster = async (stack: AsyncDisposableStack, tokenSecret: string): Promise<Cluster> => {
  const redisUrl = stack.use(await RedisServer.start()).url;
  const gateway = async (id: string): Promise<Target> =>
    stack.use(
      await Target.start({
        name: id,
        command: gatewayCommand(),
        env: gatewayEnv({ redisUrl, tokenSecret, id }),
      }),
    );
  const listener = await gateway('bench-1');
  await gateway('bench-2');
  const api = stack.use(
    await Target.start({
      name: 'api',
      command: [process.execPath, '--conditions=source', API],
      env: {
        FANFARE_HOST: '127.0.0.1',
        FANFARE_PORT: '0',
        FANFARE_OPS_HOST: '127.0.0.1',
        FANFARE_OPS_PORT: '0',
        FANFARE_API_KEYS: `bench:${API_KEY}`,
        REDIS_URL: redisUrl,
      },
    }),
  );
  return { listener, api, pool: stack.use(new WorkerPool(2)), tokenSecret };
};

/** Opens the audience, publishes to it, closes it; every message must have arrived once and in order. */
const publishTo = async (
  { listener, api, pool, tokenSecret }: Cluster,
  { worker, room, rooms, sockets }: Audience,
  { perSecond, durationMs }: { perSecond: number; durationMs: number },
): Promise<{ latency: Histogram; share: number }> => {
  const group = room;
  await using _ = { [Symbol.asyncDispose]: async () => void (await pool.ask(worker, 'close', { group })) };
  const { opened, failures } = await pool.ask(worker, 'connect', {
    group,
    servers: [{ host: '127.0.0.1', port: listener.port }],
    mode: 'socketio',
    count: sockets,
    first: 0,
    step: 1,
    streams: rooms,
    concurrency: 16,
    tokenSecret,
    join: room,
  });
  if (opened !== sockets) throw new Error(`${opened} of ${sockets} connected: ${JSON.stringify(failures)}`);
  const before = await readProcess(listener.pid);
  const started = performance.now();
  const { streams, failures: refusals } = await pool.ask(worker, 'publish', {
    via: 'http',
    url: `http://127.0.0.1:${api.port}`,
    credential: API_KEY,
    namespace: '/',
    room,
    streams: rooms,
    first: 0,
    step: 1,
    event: 'bench:told',
    dataBytes: DATA_BYTES,
    perSecond,
    rampMs: 0,
    durationMs,
  });
  const elapsedMs = performance.now() - started;
  const after = await readProcess(listener.pid);
  const heard = await pool.ask(worker, 'collect', { group, streams, waitMs: COLLECT_MS });
  const { latencyMicros, ...counts } = heard;
  const wrong = counts.lost + counts.duplicated + counts.outOfOrder + counts.misdirected;
  if (wrong > 0 || counts.received === 0) {
    throw new Error(
      `not everything published to ${room} arrived once: ${JSON.stringify({ counts, refusals })}`,
    );
  }
  return {
    latency: Histogram.from(latencyMicros),
    share: (after.cpuMicros - before.cpuMicros) / 1_000 / elapsedMs,
  };
};
