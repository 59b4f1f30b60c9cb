import { describe, expect, it } from 'vitest';
import { artilleryOutput, renderArtilleryReport } from './artillery.ts';

const summary = (p99: number) => ({ min: 1, max: p99 + 1, count: 100, mean: 3, p50: 2, p95: 9, p99 });
const period = (at: number | string, delivered: number, p99: number) => ({
  period: at,
  counters: {
    'vusers.created': 20,
    'vusers.completed': 20,
    'vusers.failed': 0,
    'fanfare.delivered': delivered,
  },
  rates: { 'socketio.emit_rate': 4 },
  summaries: { 'fanfare.delivery_ms': summary(p99) },
});

/** As `artillery run --output` writes it; periods may come as text and in any order. */
const sample = (counters: Record<string, number> = {}) =>
  artilleryOutput.parse({
    aggregate: {
      ...period(1_000_000, 300, 33.3),
      counters: { ...period(0, 300, 0).counters, 'fanfare.lost': 0, ...counters },
      firstMetricAt: 1_000_000,
      lastMetricAt: 1_020_000,
    },
    intermediate: [period('1010000', 200, 20), period(1_000_000, 100, 10)],
  });

describe('the report of an Artillery run', () => {
  const page = renderArtilleryReport(sample(), 'Artillery: websocket');

  it('is one file that loads nothing from elsewhere', () => {
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|<script|<link/);
  });

  it('shows percentiles and the course of the run', () => {
    expect(page).toContain('33.3 ms');
    expect(page.match(/<svg /g)).toHaveLength(1 + 3);
    expect(page).not.toMatch(/NaN|Infinity/);
  });

  it('draws the periods from left to right, whatever their order', () => {
    const xs = [...page.matchAll(/M([\d.]+) [\d.]+L([\d.]+)/g)].map(([, from, to]) => [
      Number(from),
      Number(to),
    ]);
    expect(xs.length).toBeGreaterThan(0);
    for (const [from = 0, to = 0] of xs) expect(to).toBeGreaterThan(from);
  });

  it('names the errors', () => {
    const failed = sample({ 'errors.xhr poll error': 7, 'vusers.failed': 7 });
    expect(renderArtilleryReport(failed, 'x')).toContain('errors.xhr poll error');
  });

  it('copes with a run of a scenario that records nothing of its own', () => {
    const bare = artilleryOutput.parse({ aggregate: { period: 1 }, intermediate: [] });
    expect(renderArtilleryReport(bare, 'x')).toContain('0');
  });
});
