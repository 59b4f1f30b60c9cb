import type { Broadcast } from '../frames/broadcast.ts';
import type { Connection, WriteOptions } from '../seams.ts';
import { Backlog } from './backlog.ts';

export interface BacklogOptions {
  /** Bytes that may wait for one connection, whichever part of the process holds them. */
  readonly maxBytes: number;
  /**
   * The connection has more than that waiting, and dropping did not help: end it. Nothing is written to it any more.
   * Called in a tick of its own.
   */
  readonly onExceeded: (connection: Connection, waitingBytes: number) => void;
}

/** What waits for the connections that do not take everything at once. */
export interface Waiting {
  readonly connections: number;
  readonly bytes: number;
  /** Most bytes that waited for one connection since this was last asked. */
  readonly peakBytes: number;
}

/** Between two looks at the connections that something waits for, in ms. Without any there are none. */
const SAMPLE_MS = 200;
/** How long a connection over its budget may take nothing, in ms. */
const STUCK_MS = 500;

/** Bounds what waits for each connection. Nothing is kept for one that takes what it is sent. */
export class Backlogs {
  conflated = 0;
  dropped = 0;
  readonly #options: BacklogOptions;
  readonly #backlogs = new Map<Connection, Backlog>();
  readonly #sample = () => this.sample();
  #timer: NodeJS.Timeout | null = null;
  #peakBytes = 0;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** Something waits for the connection. */
  watch(connection: Connection): Backlog {
    const known = this.#backlogs.get(connection);
    if (known !== undefined) return known;
    const backlog = new Backlog(connection);
    this.#backlogs.set(connection, backlog);
    this.#timer ??= setTimeout(this.#sample, SAMPLE_MS).unref();
    return backlog;
  }

  /** Whether a packet may be queued behind what waits for the connection; otherwise it was dealt with. */
  admits(connection: Connection, broadcast: Broadcast | undefined, options: WriteOptions): boolean {
    const backlog = this.watch(connection);
    if (backlog.isCut) return false;
    if (broadcast !== undefined && broadcast.key !== null && backlog.replace(broadcast, options)) {
      this.conflated++;
      return false;
    }
    if (this.#isWithin(backlog)) return true;
    this.#drop(backlog);
    if (this.#isWithin(backlog)) return true;
    if (broadcast?.isDroppable) {
      this.dropped++;
      return false;
    }
    this.#cut(backlog);
    return false;
  }

  /** Looks at a connection that was written to by others. */
  check(connection: Connection): void {
    const backlog = this.watch(connection);
    if (backlog.isCut || this.#isWithin(backlog)) return;
    this.#drop(backlog);
    if (!this.#isWithin(backlog)) this.#cut(backlog);
  }

  get waiting(): Waiting {
    let sum = 0;
    for (const backlog of this.#backlogs.values()) {
      const { bytes } = backlog;
      sum += bytes;
      this.#peakBytes = Math.max(this.#peakBytes, bytes);
    }
    const waiting = { connections: this.#backlogs.size, bytes: sum, peakBytes: this.#peakBytes };
    this.#peakBytes = 0;
    return waiting;
  }

  sample(): void {
    this.#timer = null;
    const now = performance.now();
    for (const backlog of this.#backlogs.values()) this.#look(backlog, now);
    if (this.#backlogs.size > 0) this.#timer = setTimeout(this.#sample, SAMPLE_MS).unref();
  }

  #look(backlog: Backlog, now: number): void {
    const isWithin = this.#isWithin(backlog);
    if (backlog.connection.readyState === 'closed' || backlog.bytes === 0) {
      this.#backlogs.delete(backlog.connection);
      return;
    }
    // One message may be larger than the budget: who is taking it is left to do so.
    if (backlog.hasMoved() || (isWithin && !backlog.hasDropped)) {
      backlog.hasDropped = false;
      backlog.stuckSince = null;
      return;
    }
    backlog.stuckSince ??= now;
    if (now - backlog.stuckSince >= STUCK_MS) this.#cut(backlog);
  }

  /** What the application writes within one iteration says nothing about the other side yet. */
  #isWithin(backlog: Backlog): boolean {
    if (!backlog.isStalled) return true;
    const { bytes } = backlog;
    if (bytes > this.#peakBytes) this.#peakBytes = bytes;
    return bytes <= this.#options.maxBytes;
  }

  #drop(backlog: Backlog): void {
    this.dropped += backlog.drop();
    backlog.hasDropped = true;
  }

  #cut(backlog: Backlog): void {
    if (backlog.isCut) return;
    backlog.isCut = true;
    const { connection, bytes } = backlog;
    // Not within emit(): the application does not expect its sockets to go while it walks over them.
    process.nextTick(() => {
      this.#options.onExceeded(connection, bytes);
      this.#backlogs.delete(connection);
    });
  }
}
