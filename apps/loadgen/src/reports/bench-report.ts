import type { BenchResult } from '../bench/result.ts';
import { barChart } from '../charts/bars.ts';
import { card, foldedTable, type Headline, type Html, html, NOTHING, renderPage } from '../charts/page.ts';
import {
  type Comparison,
  latenciesOf,
  type Ratio,
  SERVER_NAMES,
  type Section,
  sectionsOf,
  shortNumber,
} from './bench-summary.ts';

const OURS = SERVER_NAMES.ours;

/** The report of a run: charts over the figures of the table, one file. */
export const renderBenchReport = (result: BenchResult): string =>
  renderPage({
    title: 'What a message costs',
    subtitle:
      'Fanfare beside a stock Socket.IO server, a bare WebSocket server and the limit of the machine. All take turns ' +
      'in one run; bars are medians, whiskers the smallest and largest round, ratios are taken round by round.',
    headlines: sectionsOf(result).flatMap(headlines),
    facts: factsOf(result),
    sections: [...sectionsOf(result).map(sectionCard), ...latencyCard(result)],
  });

const headlines = ({ title, comparisons }: Section): Headline[] =>
  comparisons.flatMap(({ label, ratios }) =>
    ratios.flatMap((ratio) =>
      ratio.goal
        ? [
            {
              value: `${shortNumber(ratio.value)}×`,
              label: `${ratio.name}: ${title.split(',')[0]?.toLowerCase()}, ${label} (goal ${ratio.goal.text})`,
              good: ratio.goal.reached,
            },
          ]
        : [],
    ),
  );

const ratioItem = ({ name, value, min, max, goal }: Ratio): Html => {
  const mark = goal
    ? html`<span class="${goal.reached ? 'good' : 'bad'}">${goal.reached ? '✓' : '○'} goal ${goal.text}</span>`
    : NOTHING;
  return html`<li>${name} <b>${shortNumber(value)}×</b> (${shortNumber(min)}–${shortNumber(max)})${mark}</li>`;
};

const comparisonBlock = (unit: string, { label, figures, ratios }: Comparison): Html => {
  const bars = figures.map(({ name, value, min, max, kernel }) => ({
    label: name,
    value,
    ...(kernel !== undefined && { part: kernel }),
    text: shortNumber(value),
    spread: { min, max },
    highlighted: name === OURS,
  }));
  const shaded = bars.some((bar) => 'part' in bar)
    ? html`<p class="note">Shaded: in the kernel.</p>`
    : NOTHING;
  const chart = barChart(`${label}, ${unit}`, bars);
  return html`<h3>${label}</h3><ul class="ratios">${ratios.map(ratioItem)}</ul>${chart}${shaded}`;
};

const sectionCard = ({ title, unit, note, comparisons }: Section): Html => {
  const rows = comparisons.flatMap(({ label, figures, ratios }) =>
    [...figures, ...ratios].map(({ name, value, min, max }) => [
      `${label}: ${name}`,
      shortNumber(value),
      shortNumber(min),
      shortNumber(max),
    ]),
  );
  return card(title, `${unit}. ${note}`, [
    ...comparisons.map((comparison) => comparisonBlock(unit, comparison)),
    foldedTable('The figures', ['', 'median', 'smallest', 'largest'], rows),
  ]);
};

const latencyCard = (result: BenchResult): Html[] => {
  const latencies = latenciesOf(result);
  if (latencies.length === 0) return [];
  const blocks = latencies.map(({ label, figures, goal }) => {
    const bars = [
      { label: 'p50', value: figures.p50 },
      { label: 'p99', value: figures.p99 },
      ...(figures.p999 === undefined ? [] : [{ label: 'p99.9', value: figures.p999 }]),
      { label: 'slowest', value: figures.max },
    ].map((bar) => ({ ...bar, text: `${shortNumber(bar.value)} ms`, highlighted: bar.label === 'p99' }));
    const mark = goal
      ? html`<ul class="ratios"><li><span class="${goal.reached ? 'good' : 'bad'}">${goal.reached ? '✓' : '○'} goal ${goal.text} ms</span></li></ul>`
      : NOTHING;
    return html`<h3>${label}, ${figures.samples} events</h3>${mark}${barChart(`Latency, ${label}`, bars)}`;
  });
  const note =
    'From the time at which a request was due (late sending counts) to the event on a socket of another process.';
  return [card('Publish over HTTP to a client of a gateway', note, blocks)];
};

const factsOf = ({ machine, settings, date, quick }: BenchResult): Record<string, string> => ({
  date,
  run: quick ? 'quick' : 'full',
  processor: `${machine.cpu}, ${machine.cores} cores`,
  memory: `${machine.memoryGb} GB`,
  system: machine.system,
  'Node.js': machine.node,
  ...settings,
});
