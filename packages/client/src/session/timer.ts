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
