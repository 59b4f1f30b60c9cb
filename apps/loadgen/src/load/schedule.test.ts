import { describe, expect, it } from 'vitest';
import { dueTimes, runOpenLoop } from './schedule.ts';

describe('dueTimes', () => {
  it('spaces a steady rate evenly', () => {
    const due = dueTimes({ perSecond: 50, rampMs: 0 });
    expect([0, 1, 2, 50].map(due)).toEqual([0, 20, 40, 1_000]);
  });

  it('sends half as much during a ramp, then the whole rate', () => {
    const due = dueTimes({ perSecond: 100, rampMs: 2_000 });
    expect(due(25)).toBeCloseTo(1_000);
    expect(due(100)).toBeCloseTo(2_000);
    expect(due(101)).toBeCloseTo(2_010);
  });
});

describe('runOpenLoop', () => {
  it('sends every number once, in order, without waiting for answers', async () => {
    const sent: number[] = [];
    await runOpenLoop({
      due: dueTimes({ perSecond: 2_000, rampMs: 0 }),
      durationMs: 50,
      send: (index) => sent.push(index),
    });
    expect(sent).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('sends all that fell due while the process was busy, with the times at which it was due', async () => {
    const dues: number[] = [];
    await runOpenLoop({
      due: (index) => index * 10,
      durationMs: 100,
      send: (index, dueMs) => {
        dues.push(dueMs);
        const end = performance.now() + (index === 2 ? 60 : 0);
        while (performance.now() < end);
      },
    });
    expect(dues).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });
});
