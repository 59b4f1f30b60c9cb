import type { Histogram } from '../measure/histogram.ts';
import { pairedRatios, type Spread, spreadOf } from '../measure/statistics.ts';
import {
  againstStockSchema,
  type BatchCost,
  batchCostSchema,
  type ComparedFigures,
  type DeliveryFigures,
  deliverySchema,
  type LatencyFigures,
  type PublishCost,
  publishCostSchema,
} from './result.ts';

/** What was measured of each server, one value a round. */
export type Rounds = Readonly<Record<string, readonly number[]>>;

/** Collects the rounds of several measurements. */
export class RoundLog {
  readonly #rounds = new Map<string, Record<string, number[]>>();

  add(measurement: string, server: string, value: number): void {
    const rounds = this.#rounds.get(measurement) ?? {};
    this.#rounds.set(measurement, rounds);
    rounds[server] = [...(rounds[server] ?? []), value];
  }

  /** The rounds of one measurement; throws when it was never taken. */
  rounds(measurement: string): Rounds {
    const rounds = this.#rounds.get(measurement);
    if (!rounds) throw new Error(`${measurement} was not measured`);
    return rounds;
  }
}

const spreads = (rounds: Rounds): Record<string, Spread> =>
  Object.fromEntries(Object.entries(rounds).map(([name, values]) => [name, spreadOf(values)]));

const medians = (spread: Record<string, Spread>): Record<string, number> =>
  Object.fromEntries(Object.entries(spread).map(([name, { median }]) => [name, median]));

const of = (rounds: Rounds, name: string): readonly number[] => rounds[name] ?? [];

/** Cost of a delivery on each server, against stock and against the limit; `kernel` is the part of it in the kernel. */
export const deliveryFigures = (rounds: Rounds, kernel: Rounds): DeliveryFigures => {
  const spread = spreads({
    ...rounds,
    vsStock: pairedRatios(of(rounds, 'stock'), of(rounds, 'ours')),
    vsLimit: pairedRatios(of(rounds, 'ours'), of(rounds, 'limit')),
  });
  return deliverySchema.parse({ ...medians(spread), kernel: medians(spreads(kernel)), spread });
};

/** A cost of each server and ours as a share of stock's. */
export const comparedFigures = (rounds: Rounds): ComparedFigures => {
  const stock = of(rounds, 'stock');
  const spread = spreads({
    ...rounds,
    vsStock: pairedRatios(of(rounds, 'ours'), stock),
    ...(rounds.handlers && { handlersVsStock: pairedRatios(rounds.handlers, stock) }),
  });
  return againstStockSchema.parse({ ...medians(spread), spread });
};

/** CPU per publish of a busy api beside a bare Express route. */
export const publishCost = (rounds: Rounds): PublishCost => {
  const vsExpress = pairedRatios(of(rounds, 'ours'), of(rounds, 'express'));
  const spread = spreads({ ...rounds, vsExpress });
  return publishCostSchema.parse({ ...medians(spread), spread });
};

/** CPU per event of one caller: event by event, and in batches. */
export const batchCost = (rounds: Rounds): BatchCost => {
  const spread = spreads({ ...rounds, vsSingle: pairedRatios(of(rounds, 'batch'), of(rounds, 'single')) });
  return batchCostSchema.parse({ ...medians(spread), spread });
};

/** Percentiles of a latency in ms; the far one only where there are samples enough for it to mean something. */
export const latencyFigures = (micros: Histogram): LatencyFigures => {
  const ms = (quantile: number): number => micros.quantile(quantile) / 1_000;
  return {
    p50: ms(0.5),
    p99: ms(0.99),
    ...(micros.count >= 10_000 && { p999: ms(0.999) }),
    max: micros.max / 1_000,
    samples: micros.count,
  };
};
