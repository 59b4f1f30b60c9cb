/** How much may be asked for in a second; twice as much at once after a pause. */
export interface Bucket {
  /** Takes `units` and returns 0, or takes nothing and returns the ms until another try succeeds. */
  take(units: number): number;
}

/** Sums of fractions are off by less: who waited as told must not be told to wait for that. */
const ROUNDING = 1e-6;

/** A token bucket; `now` is a clock in ms. */
export function createBucket(perSecond: number, now: () => number): Bucket {
  const most = perSecond * 2;
  let left = most;
  let at = now();
  return {
    take: (units) => {
      const time = now();
      left = Math.min(most, left + ((time - at) * perSecond) / 1000);
      at = time;
      // A batch that is larger than the bucket has to get through some time: it waits for half of one and owes the rest.
      const missing = Math.min(units, perSecond) - left;
      if (missing > ROUNDING) return Math.ceil((missing / perSecond) * 1000);
      left -= units;
      return 0;
    },
  };
}
