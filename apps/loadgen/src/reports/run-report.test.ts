import { describe, expect, it } from 'vitest';
import type { RunResult } from '../load/run-result.ts';
import { renderRunReport, renderRunTable } from './run-report.ts';

const latency = { p50: 1.5, p90: 2, p99: 12.3, p999: 20, max: 25, samples: 1_000 };
const sample = (second: number) => ({
  second,
  publishedPerSecond: 100,
  receivedPerSecond: 1_000,
  cpu: { gateway: 30 },
  rssMb: { gateway: 120 },
});
const result: RunResult = {
  date: '2026-01-01T00:00:00.000Z',
  target: 'the gateways',
  options: { connections: 10 },
  connections: {
    opened: 10,
    seconds: 1,
    failures: { 'connect ECONNREFUSED': 2 },
    openMs: latency,
    ended: {},
  },
  published: { accepted: 100, perSecond: 100, failures: {}, ackMs: latency },
  delivered: {
    received: 1_000,
    lost: 1,
    duplicated: 0,
    outOfOrder: 0,
    misdirected: 0,
    perSecond: 1_000,
    latencyMs: latency,
  },
  watched: { gateway: { cpuSeconds: 0.3, cpuPercent: 30, rssMb: 120 } },
  samples: [sample(1), sample(2)],
};

describe('the report of a load run', () => {
  it('is one file that loads nothing from elsewhere', () => {
    expect(renderRunReport(result)).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|<script|<link|NaN/);
  });

  it('draws the latencies and the seconds of the run', () => {
    expect(renderRunReport(result).match(/<svg /g)).toHaveLength(2 + 3);
    expect(renderRunReport({ ...result, samples: [] }).match(/<svg /g)).toHaveLength(2);
  });

  it('names what went wrong', () => {
    expect(renderRunTable(result)).toContain('1 lost, 0 doubled');
    expect(renderRunTable(result)).toContain('2 × connect ECONNREFUSED');
  });
});
