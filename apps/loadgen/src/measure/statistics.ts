/** A figure of several rounds: the middle one, the spread, and the rounds themselves. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  rounds: number[];
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
};

/** Four digits: more than any of these figures is worth. */
const short = (value: number): number => Number(value.toPrecision(4));

export const spreadOf = (values: readonly number[]): Spread => ({
  median: short(median(values)),
  min: short(Math.min(...values)),
  max: short(Math.max(...values)),
  rounds: values.map(short),
});

/** The ratio of each round, so that what slows a whole round down (another tenant, heat) cancels out. */
export const pairedRatios = (numerators: readonly number[], denominators: readonly number[]): number[] => {
  if (numerators.length !== denominators.length) throw new RangeError('paired ratios need equal rounds');
  return numerators.map((value, round) => value / (denominators[round] ?? Number.NaN));
};
