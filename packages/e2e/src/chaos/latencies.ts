import { type Check, type Quantiles, quantile } from './verdict.ts';

/** Nodes that a fault leaves alone may be so slow, in ms, or twice as slow as without it. */
const ALWAYS_FINE_MS = 50;

interface Latency {
  ms: number;
  /** When its publisher first meant to send it. */
  sentAt: number;
  /** The node whose member heard it. */
  node: string;
}

/** How long live events took, by node and by phase of the scenario. */
export class Latencies {
  readonly #all: Latency[] = [];
  #fault = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };

  add(latency: Latency): void {
    this.#all.push(latency);
  }

  faultBegins(): void {
    this.#fault.from = performance.now();
  }

  faultEnds(): void {
    this.#fault.to = performance.now();
  }

  summary(): Quantiles {
    return summaryOf(this.#all);
  }

  /** What members of untouched nodes heard late during the fault, against the same members before it. */
  checks(untouched: readonly string[], { judges }: { judges: boolean }): Check[] {
    if (untouched.length === 0) return [];
    const own = this.#all.filter(({ node }) => untouched.includes(node));
    const { from, to } = this.#fault;
    const before = summaryOf(own.filter(({ sentAt }) => sentAt < from));
    const during = summaryOf(own.filter(({ sentAt }) => sentAt >= from && sentAt < to));
    return [
      { name: 'p99 of untouched nodes before the fault, ms', value: before.p99 },
      {
        name: 'p99 of untouched nodes during the fault, ms',
        value: during.p99,
        ...(judges && { atMost: Math.max(ALWAYS_FINE_MS, 2 * before.p99) }),
      },
    ];
  }
}

const summaryOf = (latencies: readonly Latency[]): Quantiles => {
  const sorted = Float64Array.from(latencies, ({ ms }) => ms).sort();
  const ms = (share: number) => Math.round(quantile(sorted, share) * 10) / 10;
  return { p50: ms(0.5), p99: ms(0.99), max: ms(1) };
};
