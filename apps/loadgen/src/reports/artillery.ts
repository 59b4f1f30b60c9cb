import { z } from 'zod';
import { barChart } from '../charts/bars.ts';
import { type Line, lineChart } from '../charts/lines.ts';
import { card, foldedTable, type Headline, type Html, renderPage } from '../charts/page.ts';

const summary = z.object({
  min: z.number(),
  max: z.number(),
  count: z.number(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
});
type Summary = z.infer<typeof summary>;

const period = z.object({
  period: z.coerce.number(),
  counters: z.record(z.string(), z.number()).default({}),
  summaries: z.record(z.string(), summary).default({}),
  firstMetricAt: z.number().optional(),
  lastMetricAt: z.number().optional(),
});
type Period = z.infer<typeof period>;

/** The part of `artillery run --output` that a report is made of. */
export const artilleryOutput = z.object({ aggregate: period, intermediate: z.array(period) });
export type ArtilleryOutput = z.infer<typeof artilleryOutput>;

/** Timings that the scenarios or Artillery itself record, in ms, with the name that a reader knows. */
const TIMINGS: Record<string, string> = {
  'fanfare.delivery_ms': 'From publish to event, on a socket',
  'fanfare.publish_ms': 'From publish to its answer, on a socket',
  'socketio.response_time': 'From emit to ack',
  'http.response_time': 'From HTTP request to answer',
};

/** Artillery closes a period every ten seconds. */
const PERIOD_SECONDS = 10;

const ms = (value: number): string => `${value.toLocaleString('en-GB', { maximumFractionDigits: 1 })} ms`;
const whole = (value: number): string => Math.round(value).toLocaleString('en-GB');

/** A report of one Artillery run: percentiles, the course of it, errors, every counter. */
export const renderArtilleryReport = (output: ArtilleryOutput, title: string): string => {
  const { aggregate } = output;
  const periods = [...output.intermediate].sort((a, b) => a.period - b.period);
  const started = aggregate.firstMetricAt ?? aggregate.period;
  const seconds = Math.round(((aggregate.lastMetricAt ?? started) - started) / 1_000);
  return renderPage({
    title,
    subtitle: 'Sessions of a stock socket.io-client, driven by Artillery.',
    headlines: headlines(aggregate),
    facts: { started: new Date(started).toISOString(), duration: `${seconds} s` },
    sections: [...timingCards(aggregate), ...courseCards(periods), countersCard(aggregate)],
  });
};

const headlines = ({ counters, summaries }: Period): Headline[] => {
  const failed = counters['vusers.failed'] ?? 0;
  const wrong = (counters['fanfare.lost'] ?? 0) + (counters['fanfare.doubled'] ?? 0);
  const delivery = summaries['fanfare.delivery_ms'];
  return [
    { value: whole(counters['vusers.completed'] ?? 0), label: 'sessions completed' },
    { value: whole(failed), label: 'sessions failed', good: failed === 0 },
    ...(delivery
      ? [
          { value: whole(delivery.count), label: 'events heard' },
          { value: whole(wrong), label: 'events lost or doubled', good: wrong === 0 },
          { value: ms(delivery.p50), label: 'median from publish to event' },
          { value: ms(delivery.p99), label: '99th percentile from publish to event' },
        ]
      : []),
  ];
};

const timingBars = (name: string, { p50, p95, p99, max }: Summary): Html =>
  barChart(
    name,
    Object.entries({ p50, p95, p99, slowest: max }).map(([label, value]) => ({
      label,
      value,
      text: ms(value),
      highlighted: label === 'p99',
    })),
  );

const timingCards = ({ summaries }: Period): Html[] =>
  Object.entries(TIMINGS).flatMap(([key, name]) => {
    const found = summaries[key];
    return found ? [card(name, `${whole(found.count)} times, ms`, [timingBars(name, found)])] : [];
  });

const courseCards = (periods: readonly Period[]): Html[] => {
  const first = periods[0];
  if (!first || periods.length < 2) return [];
  const line = (name: string, value: (period: Period) => number | undefined): Line => ({
    name,
    points: periods.flatMap((at) => {
      const y = value(at);
      return y === undefined ? [] : [{ x: (at.period - first.period) / 1_000, y }];
    }),
  });
  const perSecond = (name: string, counter: string): Line =>
    line(name, ({ counters }) => (counters[counter] ?? 0) / PERIOD_SECONDS);
  const timing = (quantile: 'p50' | 'p99'): Line =>
    line(quantile, ({ summaries }) => summaries['fanfare.delivery_ms']?.[quantile]);
  const charts = [
    {
      title: 'Sessions',
      y: 'per second',
      lines: [
        perSecond('begun', 'vusers.created'),
        perSecond('completed', 'vusers.completed'),
        perSecond('failed', 'vusers.failed'),
      ],
    },
    { title: 'Events heard', y: 'per second', lines: [perSecond('heard', 'fanfare.delivered')] },
    { title: 'From publish to event', y: 'ms', lines: [timing('p50'), timing('p99')] },
  ];
  return charts
    .filter(({ lines }) => lines.some(({ points }) => points.some(({ y }) => y > 0)))
    .map((chart) => card(chart.title, '', [lineChart({ ...chart, x: 'seconds' })]));
};

const countersCard = ({ counters }: Period): Html => {
  const rows = (wanted: (name: string) => boolean): string[][] =>
    Object.entries(counters)
      .filter(([name]) => wanted(name))
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, value]) => [name, whole(value)]);
  const isError = (name: string): boolean => name.startsWith('errors.');
  const errors = rows(isError);
  return card('Errors', errors.length > 0 ? '' : 'None.', [
    ...(errors.length > 0 ? [foldedTable('By message', ['error', 'times'], errors)] : []),
    foldedTable(
      'Every counter',
      ['counter', 'value'],
      rows((name) => !isError(name)),
    ),
  ]);
};
