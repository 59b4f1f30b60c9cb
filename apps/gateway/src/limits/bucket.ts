/** So many a second in the mean, and at most `burst` at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Token buckets of one socket, user or address. Each number is the time at which that bucket is full again, so one in
 * the past is as good as none and nothing has to be filled up (GCRA).
 */
export class Meter {
  packets = 0;
  events = 0;
  joins = 0;
  bytes = 0;
  refusals = 0;
  handshakes = 0;
  connects = 0;
  /** Packets since the connection was last made to wait for the next turn of the event loop. */
  streak = 0;
  /** Bytes that have come in since the last event. */
  unbilled = 0;
}

export type Bucket = 'packets' | 'events' | 'joins' | 'bytes' | 'refusals' | 'handshakes' | 'connects';

/**
 * Takes `cost` tokens and returns 0, or returns the ms until there is a token. A bucket with one token left pays any
 * cost and is in debt for it, so that nothing is too dear for ever.
 */
export const take = (
  meter: Meter,
  bucket: Bucket,
  spending: { rate: Rate; cost: number; now: number },
): number => {
  const { rate, cost, now } = spending;
  const msPerToken = 1000 / rate.perSecond;
  const fullAt = Math.max(meter[bucket], now);
  const waitMs = fullAt - now - (rate.burst - 1) * msPerToken;
  // Less than a nanosecond is an error of the arithmetic.
  if (waitMs > 1e-6) return waitMs;
  meter[bucket] = fullAt + cost * msPerToken;
  return 0;
};

/** Most keys of one generation: what a flood from very many addresses may hold. */
const MOST_KEYS = 100_000;

/**
 * Meters by key, made at the first use and forgotten when they have been full for a while: of two generations the older
 * one goes, so that nothing idle holds memory or a timer.
 */
export class Meters<Key extends string | WeakKey> {
  readonly #idleMs: number;
  readonly #make: () => Generation<Key>;
  #young: Generation<Key>;
  #old: Generation<Key>;
  #size = 0;
  #since = 0;

  /** No bucket takes longer than `idleMs` to fill. */
  constructor(make: () => Generation<Key>, idleMs: number) {
    this.#make = make;
    this.#idleMs = idleMs;
    this.#young = make();
    this.#old = make();
  }

  of(key: Key, now: number): Meter {
    this.sweep(now);
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const meter = this.#old.get(key) ?? new Meter();
    this.#young.set(key, meter);
    this.#size += 1;
    return meter;
  }

  /** Lets go of what nobody has used for `idleMs`. */
  sweep(now: number): void {
    if (now - this.#since < this.#idleMs && this.#size < MOST_KEYS) return;
    this.#old = now - this.#since < 2 * this.#idleMs ? this.#young : this.#make();
    this.#young = this.#make();
    this.#size = 0;
    this.#since = now;
  }
}

interface Generation<Key> {
  get(key: Key): Meter | undefined;
  set(key: Key, meter: Meter): unknown;
}
