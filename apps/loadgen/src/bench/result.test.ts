import { describe, expect, it } from 'vitest';
import { deliveryFigures, RoundLog } from './figures.ts';
import { benchResult } from './result.ts';
import { sampleResult } from './sample.ts';

/** What a script that judges a run looks up, as jq paths. */
const PATHS = [
  ...['single', 'batch10'].flatMap((batch) =>
    ['ours', 'stock', 'rawWs', 'limit', 'vsStock', 'vsLimit'].map((name) => `delivery.${batch}.${name}`),
  ),
  'idle.heapKbPerConnection.ours',
  'idle.heapKbPerConnection.stock',
  'connect.cpuUs.ours',
  'connect.cpuUs.stock',
  'publish.latencyMs.p50',
  'publish.latencyMs.p99',
  'publishCost.busy.vsExpress',
  'publishCost.alone.vsSingle',
];

const lookUp = (value: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, name) => (at instanceof Object ? Reflect.get(at, name) : undefined), value);

describe('the JSON of a run', () => {
  it.each(PATHS)('has a number at %s', (path) => {
    const json: unknown = JSON.parse(JSON.stringify(sampleResult()));
    expect(lookUp(json, path)).toBeTypeOf('number');
  });

  it('passes its own schema, with parts left out too', () => {
    const { delivery: _, smallRooms: __, ...rest } = sampleResult();
    expect(benchResult.parse(sampleResult())).toEqual(sampleResult());
    expect(benchResult.safeParse(rest).success).toBe(true);
  });

  it('refuses a delivery without its limit', () => {
    const result = sampleResult();
    const broken = { ...result, delivery: { ...result.delivery, single: { ours: 1, stock: 2, spread: {} } } };
    expect(benchResult.safeParse(broken).success).toBe(false);
  });
});

describe('figures of rounds', () => {
  it('puts the median beside its spread, and takes ratios within a round', () => {
    const figures = deliveryFigures(
      { ours: [10, 20, 11], stock: [20, 40, 22], rawWs: [1, 1, 1], limit: [5, 10, 5.5] },
      { ours: [4, 5, 6] },
    );
    expect(figures).toMatchObject({ ours: 11, stock: 22, vsStock: 2, vsLimit: 2, kernel: { ours: 5 } });
    expect(figures.spread.vsStock).toEqual({ median: 2, min: 2, max: 2, rounds: [2, 2, 2] });
    expect(figures.spread.ours).toEqual({ median: 11, min: 10, max: 20, rounds: [10, 20, 11] });
  });

  it('says which measurement is missing', () => {
    expect(() => new RoundLog().rounds('delivery.single')).toThrow('delivery.single');
  });
});
