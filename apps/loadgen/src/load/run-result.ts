import { Histogram, type HistogramCounts } from '../measure/histogram.ts';
import type { ProcessUsage } from '../measure/processes.ts';
import { addDeliveries, type DeliveryCount, noDeliveries } from '../measure/sequence.ts';
import type { CollectResult, ConnectResult, Failures, PublishResult } from '../workers/calls.ts';
import type { RunOptions } from './options.ts';

/** Percentiles in ms. */
export interface Latency {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
  samples: number;
}

/** One second of a run. */
export interface Sample {
  /** Since the start of publishing. */
  second: number;
  publishedPerSecond: number;
  receivedPerSecond: number;
  /** Percent of a core, by name of the watched process. */
  cpu: Record<string, number>;
  rssMb: Record<string, number>;
}

export interface RunResult {
  date: string;
  target: string;
  options: Record<string, string | number>;
  connections: { opened: number; seconds: number; failures: Failures; openMs: Latency; ended: Failures };
  published: { accepted: number; perSecond: number; failures: Failures; ackMs: Latency };
  delivered: DeliveryCount & { misdirected: number; perSecond: number; latencyMs: Latency };
  watched: Record<string, { cpuSeconds: number; cpuPercent: number; rssMb: number }>;
  samples: Sample[];
}

/** Whether the run showed what it should: everybody in, everything once and in order. */
export const isClean = ({ connections, published, delivered }: RunResult): boolean =>
  [connections.failures, connections.ended, published.failures].every(
    (map) => Object.keys(map).length === 0,
  ) && delivered.lost + delivered.duplicated + delivered.outOfOrder + delivered.misdirected === 0;

/** What the load workers reported, and the server processes over the time of publishing. */
export interface RunReports {
  connected: readonly ConnectResult[];
  published: readonly PublishResult[];
  heard: readonly CollectResult[];
  seconds: number;
  usage: { before: readonly ProcessUsage[]; after: readonly ProcessUsage[] };
  samples: Sample[];
}

/** The reports of all workers as one result. */
export const summarise = (options: RunOptions, reports: RunReports): RunResult => {
  const { connected, published, heard, seconds } = reports;
  const deliveries = noDeliveries();
  for (const part of heard) addDeliveries(deliveries, part);
  const accepted = sumOf(published, (part) => part.accepted);
  return {
    date: new Date().toISOString(),
    target: options.urls.map(({ origin }) => origin).join(', '),
    options: describe(options),
    connections: {
      opened: sumOf(connected, (part) => part.opened),
      seconds: Math.max(...connected.map(({ ms }) => ms)) / 1_000,
      failures: mergeFailures(connected.map((part) => part.failures)),
      openMs: latencyOf(connected.map((part) => part.openMicros)),
      ended: mergeFailures(heard.map((part) => part.ended)),
    },
    published: {
      accepted,
      perSecond: accepted / seconds,
      failures: mergeFailures(published.map((part) => part.failures)),
      ackMs: latencyOf(published.map((part) => part.ackMicros)),
    },
    delivered: {
      ...deliveries,
      misdirected: sumOf(heard, (part) => part.misdirected),
      perSecond: deliveries.received / seconds,
      latencyMs: latencyOf(heard.map((part) => part.latencyMicros)),
    },
    watched: watchedResult(options, reports),
    samples: reports.samples,
  };
};

export const sumOf = <Part>(parts: readonly Part[], value: (part: Part) => number): number =>
  parts.reduce((total, part) => total + value(part), 0);

const watchedResult = (options: RunOptions, { usage, seconds }: RunReports): RunResult['watched'] =>
  Object.fromEntries(
    options.watched.map(({ name }, i) => {
      const cpuSeconds = ((usage.after[i]?.cpuMicros ?? 0) - (usage.before[i]?.cpuMicros ?? 0)) / 1e6;
      const rssMb = Math.round((usage.after[i]?.rssBytes ?? 0) / 2 ** 20);
      return [name, { cpuSeconds, cpuPercent: Math.round((cpuSeconds / seconds) * 100), rssMb }];
    }),
  );

/** What the run was asked to do; never its secrets. */
const describe = (options: RunOptions): RunResult['options'] => ({
  connections: options.connections,
  rooms: options.rooms,
  namespace: options.namespace,
  'published by': options.via === 'http' ? 'POST /v1/publish' : 'room:publish',
  'messages per second': options.perSecond,
  'ramp in s': options.rampMs / 1_000,
  'duration in s': options.durationMs / 1_000,
  'bytes of data': options.dataBytes,
  processes: options.processes,
});

const mergeFailures = (parts: readonly Failures[]): Failures => {
  const all: Failures = {};
  for (const part of parts) {
    for (const [message, count] of Object.entries(part)) all[message] = (all[message] ?? 0) + count;
  }
  return all;
};

const latencyOf = (parts: readonly HistogramCounts[]): Latency => {
  const all = new Histogram();
  for (const counts of parts) all.merge(Histogram.from(counts));
  const ms = (quantile: number): number => all.quantile(quantile) / 1_000;
  return {
    p50: ms(0.5),
    p90: ms(0.9),
    p99: ms(0.99),
    p999: ms(0.999),
    max: all.max / 1_000,
    samples: all.count,
  };
};
