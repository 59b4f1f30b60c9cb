import { type Html, html, NOTHING } from './page.ts';

export interface Bar {
  label: string;
  value: number;
  /** What stands at its end. */
  text: string;
  /** A part of it, shaded from zero on. */
  part?: number;
  /** Smallest and largest round, drawn as a whisker. */
  spread?: { min: number; max: number };
  /** The one that the chart is about; the others are grey. */
  highlighted?: boolean;
}

const WIDTH = 800;
const LABEL = 170;
const VALUE = 90;
const ROW = 30;
const BAR = 16;

/** Horizontal bars from zero, in the order given. */
export const barChart = (title: string, bars: readonly Bar[]): Html => {
  const largest = Math.max(
    ...bars.map(({ value, spread }) => Math.max(value, spread?.max ?? 0)),
    Number.MIN_VALUE,
  );
  const x = (value: number): number => Math.round((value / largest) * (WIDTH - LABEL - VALUE) * 10) / 10;
  const rows = bars.map((bar, i) => {
    const top = i * ROW + (ROW - BAR) / 2;
    const middle = top + BAR / 2;
    const end = Math.max(x(bar.value), x(bar.spread?.max ?? 0));
    return html`
<text class="${bar.highlighted ? '' : 'muted'}" x="${LABEL - 12}" y="${middle}" text-anchor="end" dominant-baseline="central">${bar.label}</text>
<rect class="${bar.highlighted ? 'fill-accent' : 'fill-plain'}" x="${LABEL}" y="${top}" width="${Math.max(x(bar.value), 1)}" height="${BAR}" rx="3"/>
${bar.part === undefined ? NOTHING : html`<rect class="shade" x="${LABEL}" y="${top}" width="${x(Math.min(bar.part, bar.value))}" height="${BAR}" rx="3"/>`}
${bar.spread ? whisker(LABEL + x(bar.spread.min), LABEL + x(bar.spread.max), middle) : NOTHING}
<text x="${LABEL + end + 10}" y="${middle}" dominant-baseline="central" font-weight="${bar.highlighted ? 600 : 400}">${bar.text}</text>`;
  });
  const height = bars.length * ROW;
  return html`<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}"><line class="axis" x1="${LABEL}" x2="${LABEL}" y1="0" y2="${height}"/>${rows}</svg></div>`;
};

const whisker = (from: number, to: number, y: number): Html =>
  html`<path class="whisker" d="M${from} ${y - 4}v8M${from} ${y}H${to}M${to} ${y - 4}v8" fill="none"/>`;
