/** Something that is waited for and may happen before anybody waits. */
export class Wake {
  #isSet = false;
  #resolve: (() => void) | undefined;

  now(): void {
    this.#isSet = true;
    this.#resolve?.();
  }

  /** Forgets what has happened until now. */
  clear(): void {
    this.#isSet = false;
  }

  /** Resolves when it happens or has happened, at the latest after `ms`. */
  async within(ms: number): Promise<void> {
    if (!this.#isSet && ms > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resolve = resolve;
      const timer = setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#isSet = false;
  }
}
