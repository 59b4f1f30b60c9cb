import type { Socket } from 'node:net';

export type Direction = 'toServer' | 'toClient';

/** What is wrong with one direction of a link. */
export interface PipeFaults {
  /** Delay of every byte, in ms. */
  latencyMs?: number;
  /** Up to so much more of it, at random; the order stays. */
  jitterMs?: number;
  bytesPerSecond?: number;
  /** Nothing is read or written, nor is an end passed on; healing lets it go on. */
  stalled?: boolean;
  /** What comes in is thrown away. */
  swallowed?: boolean;
}

/** Most bytes that wait for their time before the sender is held back. */
const MAX_WAITING_BYTES = 1_048_576;

/** Copies from one socket to another with the faults of the moment, in order, and with backpressure. */
export class FaultyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #faults: () => PipeFaults;
  readonly #waiting: { chunk: Buffer; at: number }[] = [];
  #waitingBytes = 0;
  /** When the last chunk that was taken is through. */
  #busyUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #isBlocked = false;

  constructor(options: {
    from: Socket;
    to: Socket;
    faults: () => PipeFaults;
    onData: (chunk: Buffer) => void;
  }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#faults = options.faults;
    this.#from.on('data', (chunk: Buffer) => {
      options.onData(chunk);
      this.#take(chunk);
    });
    this.#from.on('end', () => {
      this.#ended = true;
      this.#pass();
    });
    this.#to.on('drain', () => {
      this.#isBlocked = false;
      this.update();
    });
    this.update();
  }

  /** To be called when the faults may have changed. */
  update(): void {
    const { stalled = false } = this.#faults();
    const isFull = this.#isBlocked || this.#waitingBytes > MAX_WAITING_BYTES;
    if (stalled || isFull) this.#from.pause();
    else this.#from.resume();
    this.#pass();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #take(chunk: Buffer): void {
    const { latencyMs = 0, jitterMs = 0, bytesPerSecond, swallowed = false } = this.#faults();
    if (swallowed) return;
    const delayMs = latencyMs + Math.random() * jitterMs;
    const transferMs = bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1000;
    this.#busyUntil = Math.max(this.#busyUntil, performance.now() + delayMs) + transferMs;
    this.#waiting.push({ chunk, at: this.#busyUntil });
    this.#waitingBytes += chunk.length;
    this.update();
  }

  /** Writes what is due, and comes back for the rest. */
  #pass(): void {
    clearTimeout(this.#timer);
    if (this.#faults().stalled || this.#isBlocked || this.#to.destroyed) return;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      const early = next.at - performance.now();
      if (early > 0) {
        this.#timer = setTimeout(() => this.update(), early);
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.chunk.length;
      if (!this.#to.write(next.chunk)) {
        this.#isBlocked = true;
        return;
      }
    }
    if (this.#ended) this.#to.end();
  }
}
