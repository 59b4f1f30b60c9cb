import { Histogram } from '../measure/histogram.ts';
import { batchCost, comparedFigures, deliveryFigures, latencyFigures, publishCost } from './figures.ts';
import type { BenchResult } from './result.ts';

/** A result with made-up figures, for the tests of what is made of one. */
export const sampleResult = (): BenchResult => {
  const kernel = { ours: [5, 5, 5], stock: [9, 9, 9], rawWs: [8, 8, 8], limit: [4.9, 4.9, 4.9] };
  const delivery = () => ({
    single: deliveryFigures(
      { ours: [8, 9, 8.5], stock: [18, 19, 18.5], rawWs: [10, 10, 11], limit: [5, 5, 5] },
      kernel,
    ),
    batch10: deliveryFigures(
      { ours: [1.2, 1.1, 1.3], stock: [12, 12, 13], rawWs: [9, 9, 9], limit: [0.8, 0.8, 0.8] },
      kernel,
    ),
  });
  const compared = () => comparedFigures({ ours: [6, 6, 7], stock: [11, 11, 12] });
  const latency = new Histogram();
  for (let micros = 1_000; micros < 11_000; micros++) latency.record(micros);
  return {
    date: '2026-01-01T00:00:00.000Z',
    quick: true,
    machine: { cpu: 'A <fast> CPU & more', cores: 2, memoryGb: 4, system: 'Linux', node: 'v24.0.0' },
    settings: { limit: 'C, one send() per socket' },
    delivery: delivery(),
    smallRooms: delivery(),
    idle: { connections: 2_000, heapKbPerConnection: compared(), rssKbPerConnection: compared() },
    connect: { cpuUs: compared(), firstCpuUs: compared(), perSecond: compared() },
    publish: {
      latencyMs: latencyFigures(latency),
      underLoad: { ...latencyFigures(latency), gatewayCpuPercent: 60 },
    },
    publishCost: {
      callers: 32,
      busy: publishCost({ ours: [50, 52, 51], express: [22, 23, 22] }),
      alone: batchCost({ single: [190, 200, 195], batch: [22, 23, 22] }),
    },
  };
};
