import { type Html, html } from './page.ts';

export interface Line {
  name: string;
  points: readonly { x: number; y: number }[];
}

const WIDTH = 800;
const HEIGHT = 260;
const LEFT = 60;
const RIGHT = 20;
const TOP = 34;
const BOTTOM = 40;
const COLOURS = ['accent', 'second', 'third', 'plain'];

/** Round steps (1, 2 or 5 times a power of ten) that cut `span` into about `count` parts. */
export const niceStep = (span: number, count: number): number => {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * 0.999) ?? 10;
  return factor * power;
};

const ticks = (from: number, to: number, count: number): number[] => {
  const step = niceStep(to - from || 1, count);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
};

const label = (value: number): string => value.toLocaleString('en-GB', { maximumFractionDigits: 2 });

/** Lines over a common axis that starts at zero upwards; several lines are told apart by colour and legend. */
export const lineChart = (chart: { title: string; x: string; y: string; lines: readonly Line[] }): Html => {
  const points = chart.lines.flatMap((line) => line.points);
  const [xMin, xMax] = [Math.min(...points.map(({ x }) => x)), Math.max(...points.map(({ x }) => x))];
  const highest = Math.max(...points.map(({ y }) => y)) || 1;
  const step = niceStep(highest, 4);
  const top = Math.ceil(highest / step - 1e-9) * step;
  const yTicks = ticks(0, top, 4);
  const px = (x: number): number => round(LEFT + ((x - xMin) / (xMax - xMin || 1)) * (WIDTH - LEFT - RIGHT));
  const py = (y: number): number => round(HEIGHT - BOTTOM - (y / top) * (HEIGHT - TOP - BOTTOM));
  const rows = yTicks.map(
    (y) =>
      html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}"/><text class="muted" x="${LEFT - 8}" y="${py(y)}" text-anchor="end" dominant-baseline="central">${label(y)}</text>`,
  );
  const columns = ticks(xMin, xMax, 8).map(
    (x) =>
      html`<text class="muted" x="${px(x)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${label(x)}</text>`,
  );
  const lines = chart.lines.map((line, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? 'plain';
    const path = line.points.map(({ x, y }, n) => `${n === 0 ? 'M' : 'L'}${px(x)} ${py(y)}`).join('');
    return html`<path class="line stroke-${colour}" d="${path}"/><rect class="fill-${colour}" x="${LEFT + i * 170}" y="4" width="12" height="12" rx="3"/><text x="${LEFT + i * 170 + 18}" y="10" dominant-baseline="central">${line.name}</text>`;
  });
  return html`<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${chart.title}">${rows}${columns}<text class="muted" x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${chart.x}</text><text class="muted" x="${WIDTH - RIGHT}" y="10" text-anchor="end" dominant-baseline="central">${chart.y}</text>${lines}</svg></div>`;
};

const round = (value: number): number => Math.round(value * 10) / 10;
