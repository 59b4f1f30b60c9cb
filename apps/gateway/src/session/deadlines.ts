const secondNow = (): number => Math.floor(Date.now() / 1000);

/**
 * Items by the second in which something is due for them: one timer for all, and an item costs its place in a set. Whoever
 * adds an item keeps the second, which is where it is found again.
 */
export class Deadlines<Item extends object> implements Disposable {
  readonly #due: (item: Item) => void;
  readonly #bySecond = new Map<number, Set<Item>>();
  /** Everything up to this second has been told. */
  #past: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(due: (item: Item) => void) {
    this.#due = due;
    this.#past = secondNow();
    this.#tickAtNextSecond();
  }

  /** Tells of the item at the first full second from then on; returns that second. */
  add(item: Item, atMs: number): number {
    // A clock that was set back comes to those seconds again.
    this.#past = Math.min(this.#past, secondNow());
    const second = Math.max(Math.ceil(atMs / 1000), this.#past + 1);
    const items = this.#bySecond.get(second);
    if (items === undefined) this.#bySecond.set(second, new Set([item]));
    else items.add(item);
    return second;
  }

  remove(item: Item, second: number): void {
    const items = this.#bySecond.get(second);
    if (items?.delete(item) && items.size === 0) this.#bySecond.delete(second);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#bySecond.clear();
  }

  #tickAtNextSecond(): void {
    this.#timer = setTimeout(() => this.#tick(), 1000 - (Date.now() % 1000));
    this.#timer.unref();
  }

  #tick(): void {
    const [past, now] = [this.#past, secondNow()];
    // Before what is due adds anything: it would come into a second that has been told.
    this.#past = now;
    const isFar = now - past > this.#bySecond.size;
    // After a leap of the clock there are fewer sets than seconds.
    if (isFar) for (const second of this.#bySecond.keys()) if (second <= now) this.#tell(second);
    if (!isFar) for (let second = past + 1; second <= now; second += 1) this.#tell(second);
    this.#tickAtNextSecond();
  }

  #tell(second: number): void {
    const items = this.#bySecond.get(second);
    this.#bySecond.delete(second);
    for (const item of items ?? []) this.#due(item);
  }
}
