const FIRST_MS = 100;
const LONGEST_MS = 2000;

/** Pauses that grow from one failure to the next, up to 2 s. */
export class Backoff {
  #pauseMs = 0;
  #until = 0;

  /** How long to wait still, in ms. */
  get leftMs(): number {
    return Math.max(this.#until - performance.now(), 0);
  }

  fail(): void {
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_MS), LONGEST_MS);
    this.#until = performance.now() + this.#pauseMs;
  }

  reset(): void {
    this.#pauseMs = 0;
    this.#until = 0;
  }
}
