import type { EventEmitter } from 'node:events';
import { type BacklogOptions, Backlogs } from './backlog/backlogs.ts';
import { DirectWriter } from './connection/direct-writer.ts';
import type { Outbox } from './connection/outbox.ts';
import type { Broadcast } from './frames/broadcast.ts';
import { Sequence } from './frames/sequence.ts';

/** Counted since the factory was made; what took the fast path plus what took the stock path is all of it. */
export interface FanoutCounters {
  /** Broadcast deliveries collected for the one write of a connection. */
  readonly fastDeliveries: number;
  /** Broadcast deliveries left to Socket.IO (polling, compressed, upgrading, behind on its writes). */
  readonly stockDeliveries: number;
  /** Ends of an event-loop iteration at which something was pending. */
  readonly flushes: number;
  /** Writes to sockets, each with all that was pending for its connection. */
  readonly writes: number;
  /** Droppable broadcasts, and volatile packets, that connections did not get because something waited for them. */
  readonly dropped: number;
  /** Broadcasts that a newer one under the same key took the place of while they waited. */
  readonly conflated: number;
}

/** Collects the outboxes with something pending and empties them at the end of the event-loop iteration. */
export class Collector {
  readonly maxPendingBytes: number;
  readonly backlogs: Backlogs | null;
  fastDeliveries = 0;
  stockDeliveries = 0;
  flushes = 0;
  writes = 0;
  volatileDropped = 0;
  root = Sequence.root();
  readonly writer = new DirectWriter();
  #pending: Outbox[] = [];
  #unsettled: Outbox[] = [];
  #unsettledBy: Broadcast | null = null;
  readonly #engines = new Set<EventEmitter>();
  readonly #flush = () => this.flush();
  readonly #settleFrom = (outboxes: Outbox[], start: number) => this.#settle(outboxes, start);

  constructor(maxPendingBytes: number, backlog?: BacklogOptions) {
    this.maxPendingBytes = Math.min(maxPendingBytes, backlog?.maxBytes ?? Infinity);
    this.backlogs = backlog === undefined ? null : new Backlogs(backlog);
  }

  get counters(): FanoutCounters {
    const { fastDeliveries, stockDeliveries, flushes, writes } = this;
    const dropped = this.volatileDropped + (this.backlogs?.dropped ?? 0);
    const conflated = this.backlogs?.conflated ?? 0;
    return { fastDeliveries, stockDeliveries, flushes, writes, dropped, conflated };
  }

  add(outbox: Outbox): void {
    if (this.#pending.length === 0) this.#schedule();
    this.#pending.push(outbox);
  }

  /**
   * Stock writes at once and hears of it in a process.nextTick() made by that write; `writable` has to turn true
   * no sooner and no later, which is one callback for each broadcast.
   */
  settleLater(outbox: Outbox, broadcast: Broadcast): void {
    if (this.#unsettledBy !== broadcast) {
      this.#unsettledBy = broadcast;
      this.#unsettled = [];
      process.nextTick(this.#settleFrom, this.#unsettled, 0);
    }
    this.#unsettled.push(outbox);
  }

  flush(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    this.root = Sequence.root();
    this.flushes++;
    process.off('exit', this.#flush);
    flushAll(pending);
  }

  watch(engine: EventEmitter): void {
    this.#engines.add(engine);
  }

  /** Whether an application listens to the engine's events for each write: then each write is stock. */
  get isWatched(): boolean {
    for (const engine of this.#engines) {
      if (engine.listenerCount('flush') > 0 || engine.listenerCount('drain') > 0) return true;
    }
    return false;
  }

  #schedule(): void {
    setImmediate(this.#flush);
    // Stock has written before process.exit() is reached; the immediate would not run any more.
    process.on('exit', this.#flush);
  }

  #settle(outboxes: Outbox[], start: number): void {
    this.#unsettledBy = null;
    const unsettled: Outbox[] = [];
    let index = start;
    try {
      while (index < outboxes.length) {
        const outbox = outboxes[index++];
        if (outbox?.settle() === false) unsettled.push(outbox);
      }
    } finally {
      // A listener of the application has thrown: that is its affair, and not that of the other connections.
      if (index < outboxes.length) process.nextTick(this.#settleFrom, outboxes, index);
      if (unsettled.length > 0) process.nextTick(this.#settleFrom, unsettled, 0);
    }
  }
}

function flushAll(outboxes: ReadonlyArray<Outbox>): void {
  for (let index = 0; index < outboxes.length; index++) outboxes[index]?.flush();
}
