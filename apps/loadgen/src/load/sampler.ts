import { setTimeout as delay } from 'node:timers/promises';
import { type ProcessUsage, readProcess } from '../measure/processes.ts';
import type { WorkerPool } from '../workers/pool.ts';
import type { RunOptions } from './options.ts';
import { type Sample, sumOf } from './run-result.ts';

type Watched = RunOptions['watched'];

/** CPU and memory of each watched process, in their order. */
export const readWatched = (watched: Watched): Promise<ProcessUsage[]> =>
  Promise.all(watched.map(({ pid }) => readProcess(pid)));

/** Takes one sample at each call: what happened since the last one. */
export const createSampler = (pool: WorkerPool, watched: Watched, progress: (line: string) => void) => {
  const samples: Sample[] = [];
  const started = performance.now();
  let last = { at: started, published: 0, received: 0, usage: [] as ProcessUsage[] };
  const take = async (): Promise<void> => {
    const [totals, usage] = await Promise.all([pool.call('progress', () => null), readWatched(watched)]);
    const now = performance.now();
    const seconds = (now - last.at) / 1_000;
    const next = {
      at: now,
      published: sumOf(totals, ({ published }) => published),
      received: sumOf(totals, ({ received }) => received),
      usage,
    };
    const sample: Sample = {
      second: Math.round((now - started) / 100) / 10,
      publishedPerSecond: Math.round((next.published - last.published) / seconds),
      receivedPerSecond: Math.round((next.received - last.received) / seconds),
      cpu: {},
      rssMb: {},
    };
    for (const [i, { name }] of watched.entries()) {
      const [before, after] = [last.usage[i], usage[i]];
      if (!after) continue;
      sample.rssMb[name] = Math.round(after.rssBytes / 2 ** 20);
      if (before) sample.cpu[name] = Math.round((after.cpuMicros - before.cpuMicros) / 1e4 / seconds);
    }
    last = next;
    samples.push(sample);
    progress(`${sample.publishedPerSecond} published/s, ${sample.receivedPerSecond} received/s`);
  };
  return { samples, take };
};

/** Calls `task` every second, one call at a time, until it is disposed of. */
export const everySecond = (task: () => Promise<void>): AsyncDisposable => {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await delay(1_000, undefined, { signal: stop.signal }).catch(() => undefined);
      if (!stop.signal.aborted) await task();
    }
  };
  const running = loop();
  running.catch(() => undefined);
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return running;
    },
  };
};
