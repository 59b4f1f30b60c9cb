import { signToken } from '../wire/token.ts';
import type { ConnectResult, PublishResult, Sent } from '../workers/calls.ts';
import { WorkerPool } from '../workers/pool.ts';
import type { RunOptions } from './options.ts';
import { type RunResult, summarise, sumOf } from './run-result.ts';
import { createSampler, everySecond, readWatched } from './sampler.ts';

const GROUP = 'run';
const CONCURRENCY = 64;
const COLLECT_MS = 30_000;

/** Connects, publishes on the timetable, and checks what every connection heard. */
export const runLoad = async (options: RunOptions, progress: (line: string) => void): Promise<RunResult> => {
  await using pool = new WorkerPool(options.processes);
  progress(
    `connecting ${options.connections} sockets to ${options.urls.map(({ host }) => host).join(', ')} from ${pool.size} processes`,
  );
  await using connecting = everySecond(async () => {
    const open = sumOf(await pool.call('progress', () => null), ({ open }) => open);
    progress(`${open} of ${options.connections} connected`);
  });
  const connected = await connectAll(pool, options);
  await connecting[Symbol.asyncDispose]();
  const opened = sumOf(connected, (result) => result.opened);
  progress(`${opened} connected; publishing ${options.perSecond} messages a second by ${options.via}`);
  const usage = await readWatched(options.watched);
  const started = performance.now();
  const sampler = createSampler(pool, options.watched, progress);
  await using sampling = everySecond(sampler.take);
  const published = await publishAll(pool, options);
  await sampling[Symbol.asyncDispose]();
  const elapsed = (performance.now() - started) / 1_000;
  const usageAfter = await readWatched(options.watched);
  progress('waiting for what is still under way');
  const streams: Record<number, Sent> = Object.assign({}, ...published.map((result) => result.streams));
  const heard = await pool.call('collect', () => ({ group: GROUP, streams, waitMs: COLLECT_MS }));
  await pool.call('close', () => ({ group: GROUP }));
  return summarise(options, {
    connected,
    published,
    heard,
    seconds: elapsed,
    usage: { before: usage, after: usageAfter },
    samples: sampler.samples,
  });
};

const connectAll = (pool: WorkerPool, options: RunOptions): Promise<ConnectResult[]> => {
  const { urls, connections, connectPerSecond, token, tokenSecret, localAddresses } = options;
  return pool.call('connect', (worker) => ({
    group: GROUP,
    servers: urls.map((url) => ({ host: url.hostname, port: Number(url.port) || 80 })),
    mode: 'socketio',
    namespace: options.namespace,
    count: Math.floor(connections / pool.size) + (worker < connections % pool.size ? 1 : 0),
    first: worker,
    step: pool.size,
    streams: options.rooms,
    concurrency: CONCURRENCY,
    join: options.room,
    ...(connectPerSecond !== undefined && { perSecond: connectPerSecond / pool.size }),
    ...(token !== undefined && { token }),
    ...(tokenSecret !== undefined && { tokenSecret }),
    ...(localAddresses.length > 0 && { localAddresses }),
  }));
};

const publishAll = (pool: WorkerPool, options: RunOptions): Promise<PublishResult[]> => {
  const { rooms, via, apiKey, token, tokenSecret } = options;
  const socketToken = token ?? signToken(tokenSecret ?? '', 'load-publisher');
  return pool.call('publish', (worker) => ({
    via,
    url: via === 'http' ? options.apiUrl.href : (options.urls[0]?.href ?? ''),
    credential: via === 'http' ? (apiKey ?? '') : socketToken,
    namespace: options.namespace,
    room: options.room,
    streams: rooms,
    first: worker,
    step: pool.size,
    event: options.event,
    dataBytes: options.dataBytes,
    // The rate of a worker is that of its rooms.
    perSecond: (options.perSecond * Math.ceil((rooms - worker) / pool.size)) / rooms,
    rampMs: options.rampMs,
    durationMs: options.durationMs,
  }));
};
