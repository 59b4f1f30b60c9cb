import type { Faults } from './room-track.ts';

/** One number that a scenario is judged by. */
export interface Check {
  name: string;
  value: number;
  /** The most it may be, or what it must be. */
  atMost?: number;
  exactly?: number;
  atLeast?: number;
}

/** In ms. */
export interface Quantiles {
  p50: number;
  p99: number;
  max: number;
}

/** What came of a scenario. */
export interface Verdict {
  scenario: string;
  ok: boolean;
  seed: number;
  load: { clients: number; rooms: number; roomsPerClient: number; eventsPerSecond: number };
  /** What was done when, in ms since the load began. */
  timeline: { atMs: number; what: string }[];
  published: { accepted: number; duplicates: number; retries: number };
  delivered: number;
  faults: Faults;
  resets: number;
  reconnects: number;
  refusedJoins: number;
  /** Of live events, from the moment at which a publisher first meant to send them. */
  latencyMs: Quantiles;
  checks: (Check & { ok: boolean })[];
  /** Only when something is wrong: what processes and clients complained of. */
  complaints?: string[];
  tookMs: number;
}

export const judge = (check: Check): Check & { ok: boolean } => {
  const { value, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY, exactly } = check;
  return {
    ...check,
    ok: value <= atMost && value >= atLeast && (exactly === undefined || value === exactly),
  };
};

/** The value that `share` (0…1) of the sorted numbers do not exceed; 0 when there are none. */
export const quantile = (sorted: ArrayLike<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
