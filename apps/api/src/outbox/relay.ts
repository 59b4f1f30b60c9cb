import type { ClusterPublisher, Publication } from '@fanfare/cluster';
import { AppError } from '@fanfare/protocol';
import { Backoff } from './backoff.ts';
import type { OutboxEvents } from './events.ts';
import { placeOf, toPublication } from './rows.ts';
import { OutboxSession, type WaitingRow } from './session.ts';
import { Wake } from './wake.ts';

export interface RelayOptions {
  /** Of the product's database. */
  url: string;
  /** Longest time between two looks when nothing wakes it, in ms. */
  pollMs: number;
  /** How often an event that the cluster refuses is tried. */
  tries: number;
  /** How long an event is kept once it is told, in ms. */
  keepMs: number;
  namespaces: readonly string[];
  publisher: Pick<ClusterPublisher, 'publishMany'>;
  events: OutboxEvents;
}

/** Tells the cluster what a product has written into its outbox. */
export interface OutboxRelay extends AsyncDisposable {
  /** Why it does not tell now; undefined while it does. */
  readonly problem: string | undefined;
  start(): void;
  /** Finishes what it is telling, and leaves the rest to others. */
  stop(): Promise<void>;
}

interface Telling {
  row: WaitingRow;
  publication: Publication;
}

/** What no other try can mend. */
const FINAL: ReadonlySet<string> = new Set(['invalid_payload', 'payload_too_large']);
const PRUNE_MS = 10_000;

class Relay implements OutboxRelay {
  problem: string | undefined = 'not connected yet';
  readonly #options: RelayOptions;
  readonly #wake = new Wake();
  /** Rooms that wait until their next try. */
  readonly #rooms = new Map<string, Backoff>();
  /** While the cluster takes nothing at all. */
  readonly #cluster = new Backoff();
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake.now();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    const database = new Backoff();
    while (!this.#isStopped) {
      try {
        await using session = await OutboxSession.open(this.#options.url, () => this.#wake.now());
        database.reset();
        this.#rooms.clear();
        this.problem = undefined;
        this.#options.events.opened();
        await this.#serve(session);
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (this.problem !== error.message) this.#options.events.lost(error);
        this.problem = error.message;
        database.fail();
        while (!this.#isStopped && database.leftMs > 0) await this.#wake.within(database.leftMs);
      }
    }
  }

  /** Tells until it is stopped; rejects when the database is gone. */
  async #serve(session: OutboxSession): Promise<void> {
    let lookedAt = Number.NEGATIVE_INFINITY;
    while (!this.#isStopped) {
      if (performance.now() - lookedAt >= this.#options.pollMs) {
        await this.#look(session);
        lookedAt = performance.now();
      }
      this.#wake.clear();
      if (await this.#tell(session)) continue;
      await this.#wake.within(
        Math.min(lookedAt + this.#options.pollMs - performance.now(), this.#nextTryMs()),
      );
    }
  }

  async #look(session: OutboxSession): Promise<void> {
    await session.share();
    this.#options.events.observed(await session.state(), session.held.size);
    if (performance.now() - this.#prunedAt < PRUNE_MS) return;
    this.#prunedAt = performance.now();
    // It has to keep up with what is told: while there is more it goes on at every look.
    if (await session.prune(this.#options.keepMs)) this.#prunedAt = Number.NEGATIVE_INFINITY;
  }

  #nextTryMs(): number {
    return Math.min(...[this.#cluster, ...this.#rooms.values()].map(({ leftMs }) => leftMs || Infinity));
  }

  /** Tells some of what waits; whether there may be more. */
  async #tell(session: OutboxSession): Promise<boolean> {
    if (this.#cluster.leftMs > 0) return false;
    const paused = [...this.#rooms].filter(([, { leftMs }]) => leftMs > 0).map(([place]) => place);
    const rows = await session.read(paused);
    if (rows.length === 0) return false;
    const readAt = performance.now();
    const tellings = await this.#prepare(session, rows);
    const results = await this.#options.publisher.publishMany(tellings.map(({ publication }) => publication));
    const told: WaitingRow[] = [];
    const failed = new Map<string, { row: WaitingRow; error: AppError; rows: number }>();
    for (const [i, { row }] of tellings.entries()) {
      const result = results[i]?.[0] ?? { error: new AppError('internal') };
      const place = placeOf(row);
      const before = failed.get(place);
      if (before) before.rows += 1;
      else if ('error' in result) failed.set(place, { row, error: result.error, rows: 1 });
      else told.push(row);
    }
    if (told.length > 0) {
      await session.told(told.map(({ id }) => id));
      this.#options.events.told(told, (performance.now() - readAt) / 1000);
      for (const row of told) this.#rooms.delete(placeOf(row));
    }
    const isAway = [...failed.values()].every(({ error }) => error.code === 'unavailable');
    if (failed.size > 1 && told.length === 0 && isAway) {
      this.#cluster.fail();
      this.#options.events.retried(tellings.length, 'unavailable');
      return false;
    }
    this.#cluster.reset();
    for (const { row, error, rows: count } of failed.values())
      await this.#fail(session, { row, error, count });
    return true;
  }

  /** What of the rows can be told; what cannot is counted against its row, and the rest of its room waits. */
  async #prepare(session: OutboxSession, rows: readonly WaitingRow[]): Promise<Telling[]> {
    const tellings: Telling[] = [];
    const waiting = new Set<string>();
    for (const row of rows) {
      if (waiting.has(placeOf(row))) continue;
      try {
        tellings.push({ row, publication: toPublication(row, this.#options.namespaces) });
      } catch (thrown) {
        if (!(await this.#fail(session, { row, error: AppError.from(thrown), count: 1 })))
          waiting.add(placeOf(row));
      }
    }
    return tellings;
  }

  /** Gives a row up, or lets its room wait for another try; whether it gave it up. */
  async #fail(
    session: OutboxSession,
    { row, error, count }: { row: WaitingRow; error: AppError; count: number },
  ): Promise<boolean> {
    const place = placeOf(row);
    const isDead =
      error.code !== 'unavailable' && (FINAL.has(error.code) || row.tries + 1 >= this.#options.tries);
    if (error.code !== 'unavailable') await session.failed(row.id, { error: error.message, dead: isDead });
    if (isDead) {
      this.#rooms.delete(place);
      this.#options.events.died(row, error.message);
      return true;
    }
    const backoff = this.#rooms.get(place) ?? new Backoff();
    backoff.fail();
    this.#rooms.set(place, backoff);
    this.#options.events.retried(count, error.code);
    return false;
  }
}

export const createOutboxRelay = (options: RelayOptions): OutboxRelay => new Relay(options);
