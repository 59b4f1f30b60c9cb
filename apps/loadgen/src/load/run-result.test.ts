import { expect, it } from 'vitest';
import { Histogram } from '../measure/histogram.ts';
import type { CollectResult } from '../workers/calls.ts';
import { parseRunOptions } from './options.ts';
import { isClean, summarise } from './run-result.ts';

const options = parseRunOptions(
  '--url http://127.0.0.1 --token-secret hush --api-key hush --watch gateway=1'.split(' '),
);

const micros = (...values: number[]) => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram.counts();
};

const heard = (wrong: Partial<CollectResult> = {}): CollectResult => ({
  received: 10,
  lost: 0,
  duplicated: 0,
  outOfOrder: 0,
  misdirected: 0,
  payloadBytes: 100,
  ended: {},
  latencyMicros: micros(1_000, 3_000),
  ...wrong,
});

const result = (...parts: CollectResult[]) =>
  summarise(options, {
    connected: [{ opened: 5, failures: {}, ms: 500, openMicros: micros(2_000) }],
    published: [{ accepted: 20, failures: {}, streams: {}, ackMicros: micros(100) }],
    heard: parts,
    seconds: 2,
    usage: {
      before: [{ cpuMicros: 0, userMicros: 0, systemMicros: 0, rssBytes: 0 }],
      after: [{ cpuMicros: 1_000_000, userMicros: 0, systemMicros: 0, rssBytes: 2 ** 20 }],
    },
    samples: [],
  });

it('adds up what the workers report', () => {
  const total = result(heard(), heard({ latencyMicros: micros(100_000) }));
  expect(total.delivered).toMatchObject({ received: 20, perSecond: 10 });
  expect(total.delivered.latencyMs).toMatchObject({ samples: 3, p50: 3.007 });
  expect(total.watched).toEqual({ gateway: { cpuSeconds: 1, cpuPercent: 50, rssMb: 1 } });
});

it.each(['lost', 'duplicated', 'outOfOrder', 'misdirected'] as const)('is not clean with one %s', (wrong) => {
  expect(isClean(result(heard()))).toBe(true);
  expect(isClean(result(heard(), heard({ [wrong]: 1 })))).toBe(false);
});

it('is not clean when a connection ended', () => {
  expect(isClean(result(heard({ ended: { 'the server closed the connection': 1 } })))).toBe(false);
});

it('keeps no secret', () => {
  expect(JSON.stringify(result(heard()))).not.toContain('hush');
});
