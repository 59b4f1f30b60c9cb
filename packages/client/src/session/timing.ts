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

/** Most publishes under way, all of which may be refused: a gateway ends the connection after 200 refusals. */
const MOST_UNDER_WAY = 50;
const FIRST_GAP_MS = 10;
const MAX_GAP_MS = 1000;
/** How long the pace stays slow after the last refusal, in ms. */
const SLOW_MS = 10_000;

/** Lets a burst through no faster than a gateway takes it, in order. */
export class Pace {
  #underWay = 0;
  readonly #queue: (() => void)[] = [];
  /** Between two, since the gateway has refused for the rate; more when that was not enough. */
  #gapMs = 0;
  #slowUntil = 0;
  #nextAt = 0;

  /** `check` throws when an attempt at a time of `performance.now()` is of no use: it then holds up no other one. */
  async run<Answer>(
    attempt: () => Promise<Answer>,
    { isRefusal, check }: { isRefusal: (error: unknown) => boolean; check: (at: number) => void },
  ): Promise<Answer> {
    if (this.#underWay < MOST_UNDER_WAY) this.#underWay += 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    const now = performance.now();
    if (now > this.#slowUntil) this.#gapMs = 0;
    const gapMs = this.#gapMs;
    try {
      const at = gapMs > 0 ? Math.max(now, this.#nextAt) : now;
      check(at);
      if (gapMs > 0) {
        this.#nextAt = at + gapMs;
        await wait(at - now);
      }
      return await attempt();
    } catch (error) {
      if (isRefusal(error)) {
        this.#slowUntil = performance.now() + SLOW_MS;
        // Of many that were under way together only the first refusal tells something new.
        if (gapMs === this.#gapMs) this.#gapMs = Math.min(MAX_GAP_MS, gapMs * 2 || FIRST_GAP_MS);
      }
      throw error;
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}

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
