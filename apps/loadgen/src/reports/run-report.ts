import { barChart } from '../charts/bars.ts';
import { lineChart } from '../charts/lines.ts';
import { card, foldedTable, type Html, renderPage } from '../charts/page.ts';
import type { Latency, RunResult, Sample } from '../load/run-result.ts';

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`;
const count = (value: number): string => Math.round(value).toLocaleString('en-GB');

/** The sentences of a run for a terminal. */
export const renderRunTable = (result: RunResult): string => {
  const { connections, published, delivered, watched } = result;
  const latency = ({ p50, p99, p999, max }: Latency): string =>
    `p50 ${ms(p50)}, p99 ${ms(p99)}, p99.9 ${ms(p999)}, max ${ms(max)}`;
  const problems = (title: string, failures: Record<string, number>): string[] =>
    Object.entries(failures).map(([message, times]) => `  ${title}: ${count(times)} × ${message}`);
  return [
    `connections  ${count(connections.opened)} in ${connections.seconds.toFixed(1)} s; ${latency(connections.openMs)}`,
    `published    ${count(published.accepted)} (${count(published.perSecond)}/s); to the answer ${latency(published.ackMs)}`,
    `delivered    ${count(delivered.received)} (${count(delivered.perSecond)}/s); ${latency(delivered.latencyMs)}`,
    `checked      ${delivered.lost} lost, ${delivered.duplicated} doubled, ${delivered.outOfOrder} out of order, ${delivered.misdirected} misdirected`,
    ...Object.entries(watched).map(
      ([name, { cpuPercent, rssMb }]) => `${name.padEnd(12)} ${cpuPercent} % of a core, ${rssMb} MB`,
    ),
    ...problems('not connected', connections.failures),
    ...problems('connection ended', connections.ended),
    ...problems('not published', published.failures),
  ].join('\n');
};

/** A run as one page: percentiles, the seconds of the run, the watched processes. */
export const renderRunReport = (result: RunResult): string => {
  const { connections, published, delivered, samples } = result;
  const wrong = delivered.lost + delivered.duplicated + delivered.outOfOrder + delivered.misdirected;
  return renderPage({
    title: 'Load run',
    subtitle:
      'Latency counts from the time at which a message was due, so a stalled server cannot hide behind a stalled sender.',
    headlines: [
      { value: count(connections.opened), label: 'connections' },
      { value: count(delivered.perSecond), label: 'deliveries per second' },
      { value: ms(delivered.latencyMs.p50), label: 'median latency' },
      { value: ms(delivered.latencyMs.p99), label: '99th percentile' },
      {
        value: count(wrong),
        label: 'messages lost, doubled, out of order or misdirected',
        good: wrong === 0,
      },
    ],
    facts: {
      date: result.date,
      target: result.target,
      ...Object.fromEntries(Object.entries(result.options).map(([name, value]) => [name, String(value)])),
    },
    sections: [
      card('From publish to event', `${count(delivered.latencyMs.samples)} deliveries, ms`, [
        latencyBars('Latency of deliveries', delivered.latencyMs),
      ]),
      card('From publish to its answer', `${count(published.ackMs.samples)} messages, ms`, [
        latencyBars('Latency of answers', published.ackMs),
      ]),
      ...timeline(samples, Object.keys(result.watched)),
    ],
  });
};

const latencyBars = (title: string, { p50, p90, p99, p999, max }: Latency): Html =>
  barChart(
    title,
    Object.entries({ p50, p90, p99, 'p99.9': p999, slowest: max }).map(([label, value]) => ({
      label,
      value,
      text: ms(value),
      highlighted: label === 'p99',
    })),
  );

const timeline = (samples: readonly Sample[], watched: readonly string[]): Html[] => {
  if (samples.length < 2) return [];
  const line = (name: string, value: (sample: Sample) => number | undefined) => ({
    name,
    points: samples.flatMap((sample) => {
      const y = value(sample);
      return y === undefined ? [] : [{ x: sample.second, y }];
    }),
  });
  const chart = (title: string, y: string, lines: ReturnType<typeof line>[]): Html =>
    lineChart({ title, x: 'seconds', y, lines });
  const rows = samples.map((sample) => [
    String(sample.second),
    count(sample.publishedPerSecond),
    count(sample.receivedPerSecond),
    ...watched.flatMap((name) => [String(sample.cpu[name] ?? ''), String(sample.rssMb[name] ?? '')]),
  ]);
  const columns = [
    'second',
    'published/s',
    'received/s',
    ...watched.flatMap((name) => [`${name} %`, `${name} MB`]),
  ];
  return [
    card('Second by second', '', [
      chart('Deliveries per second', 'deliveries per second', [
        line('received', (sample) => sample.receivedPerSecond),
      ]),
      ...(watched.length === 0
        ? []
        : [
            chart(
              'CPU of the servers',
              'percent of a core',
              watched.map((name) => line(name, (s) => s.cpu[name])),
            ),
            chart(
              'Memory of the servers',
              'MB',
              watched.map((name) => line(name, (s) => s.rssMb[name])),
            ),
          ]),
      foldedTable('The figures', columns, rows),
    ]),
  ];
};
