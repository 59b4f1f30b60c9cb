import type { BenchResult } from '../bench/result.ts';
import {
  type Figure,
  latenciesOf,
  type Ratio,
  type Section,
  sectionsOf,
  shortNumber,
} from './bench-summary.ts';

const align = (rows: string[][]): string => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: string[]) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
  return rows.map((row) => `  ${line(row).join('   ').trimEnd()}`).join('\n');
};

const ratioText = ({ name, value, min, max, goal }: Ratio): string => {
  const spread = `${name} ${shortNumber(value)} (${shortNumber(min)}–${shortNumber(max)})`;
  return goal ? `${spread}, goal ${goal.text}: ${goal.reached ? 'reached' : 'not reached'}` : spread;
};

const sectionText = ({ title, unit, note, comparisons }: Section): string => {
  const names = [...new Set(comparisons.flatMap(({ figures }) => figures.map(({ name }) => name)))];
  const row = (label: string, figures: readonly Figure[], value: (figure: Figure) => number | undefined) => [
    label,
    ...names.map((name) => {
      const figure = figures.find((candidate) => candidate.name === name);
      const found = figure && value(figure);
      return found === undefined ? '' : shortNumber(found);
    }),
  ];
  const rows = comparisons.flatMap(({ label, figures }) => [
    row(label, figures, ({ value }) => value),
    ...(figures.some(({ kernel }) => kernel !== undefined)
      ? [row('  of it in the kernel', figures, ({ kernel }) => kernel)]
      : []),
  ]);
  const ratios = comparisons.flatMap(({ label, ratios }) =>
    ratios.map((ratio) => `  ${label}: ${ratioText(ratio)}`),
  );
  return [`${title}: ${unit}`, align([['', ...names], ...rows]), ...ratios, `  ${note}`].join('\n');
};

const latencyText = (result: BenchResult): string[] => {
  const latencies = latenciesOf(result);
  if (latencies.length === 0) return [];
  const rows = latencies.map(({ label, figures, goal }) => [
    label,
    shortNumber(figures.p50),
    shortNumber(figures.p99),
    figures.p999 === undefined ? '–' : shortNumber(figures.p999),
    shortNumber(figures.max),
    goal ? `goal ${goal.text}: ${goal.reached ? 'reached' : 'not reached'}` : '',
  ]);
  const title = 'Publish over HTTP to a client of a gateway: ms from the time it was due';
  return [[title, align([['', 'p50', 'p99', 'p99.9', 'max', ''], ...rows])].join('\n')];
};

/** The figures of a run for a terminal. */
export const renderTable = (result: BenchResult): string => {
  const { cpu, cores, memoryGb, system, node } = result.machine;
  const facts = Object.entries(result.settings).map(([name, value]) => `  ${name}: ${value}`);
  return [
    [`${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}, ${result.date}`, ...facts].join('\n'),
    ...sectionsOf(result).map(sectionText),
    ...latencyText(result),
    'Every figure is the median of its rounds; ratios are taken round by round (smallest–largest).',
  ].join('\n\n');
};
