export interface BackoffOptions {
  /** Mean of the first delay, in ms. Default 750, which is 375 to 1125. */
  delayMs?: number;
  /** Longest delay, in ms. Default 30000. */
  maxDelayMs?: number;
}

/**
 * The delay before try `attempt` (from 0), in ms: doubled each time and always spread by ±50 %, at the longest delay too,
 * so that clients that were cut off together do not come back together.
 */
export const backoff = (
  attempt: number,
  { delayMs = 750, maxDelayMs = 30_000 }: BackoffOptions = {},
): number => Math.min(maxDelayMs / 1.5, delayMs * 2 ** Math.min(attempt, 30)) * (0.5 + Math.random());

export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One delay at a time: a new one takes the place of the old. */
export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  set(ms: number, run: () => void): void {
    this.clear();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      run();
    }, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
