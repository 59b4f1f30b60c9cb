/** What one receiver heard of one stream, or many of them added up. */
export interface DeliveryCount {
  received: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

export const noDeliveries = (): DeliveryCount => ({ received: 0, lost: 0, duplicated: 0, outOfOrder: 0 });

export const addDeliveries = (into: DeliveryCount, other: DeliveryCount): void => {
  into.received += other.received;
  into.lost += other.lost;
  into.duplicated += other.duplicated;
  into.outOfOrder += other.outOfOrder;
};

/** Follows the sequence numbers that one receiver hears of one stream; in order, it costs a comparison. */
export class SequenceTrack {
  #next: number;
  #received = 0;
  #duplicated = 0;
  #outOfOrder = 0;
  #missing: Set<number> | undefined;

  /** `first` is the number that must come first. */
  constructor(first = 1) {
    this.#next = first;
  }

  get received(): number {
    return this.#received;
  }

  see(seq: number): void {
    this.#received++;
    if (seq === this.#next) this.#next++;
    else if (seq > this.#next) this.#skipTo(seq);
    else if (this.#missing?.delete(seq)) this.#outOfOrder++;
    else this.#duplicated++;
  }

  /** The count when `last` is the last number sent; what is in `refused` was never accepted by the server. */
  count(last: number, refused: ReadonlySet<number> = new Set()): DeliveryCount {
    let lost = (this.#missing?.size ?? 0) + Math.max(0, last - this.#next + 1);
    for (const seq of refused) if (seq >= this.#next || this.#missing?.has(seq)) lost--;
    return { received: this.#received, lost, duplicated: this.#duplicated, outOfOrder: this.#outOfOrder };
  }

  #skipTo(seq: number): void {
    this.#missing ??= new Set();
    for (let missing = this.#next; missing < seq; missing++) this.#missing.add(missing);
    this.#next = seq + 1;
  }
}
