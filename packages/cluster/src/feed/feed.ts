import type { ResetReason } from '@fanfare/protocol';
import {
  type EventLog,
  type LogPage,
  PAGE_BYTES,
  PAGE_EVENTS,
  type Position,
  type SyncPage,
} from '../event-log/event-log.ts';
import type { LoggedEvent } from '../event-log/wire.ts';
import type { JoinBudget } from './join-budget.ts';

/** What a feed does with what it finds. Both are called in the order of the log. */
export interface FeedSink {
  /** The next event of the room, exactly once and without a hole. */
  deliver(event: LoggedEvent): void;
  /** The order is broken for good: members go on from here. */
  reset(position: Position, reason: ResetReason): void;
}

export interface JoinRequest {
  since?: Position | undefined;
  replay?: number | undefined;
  /** Shared by the rooms of a request. */
  budget?: JoinBudget | undefined;
  /** The answer will hold more than events: it waits for a request that has room for it. */
  isLarge?: boolean | undefined;
}

/** What a join is answered with; `more` means that the socket is not yet a member and asks again from `offset`. */
export interface JoinAnswer extends Position {
  recovered: boolean;
  /** Why not, when it was asked to go on from a position. */
  reason?: ResetReason;
  /** The same list for all who missed the same. */
  events: readonly LoggedEvent[];
  more?: true;
}

/** A join whose reading is done; what comes live is collected until it is disposed of. */
export interface PreparedJoin extends Disposable {
  admit(): JoinAnswer;
}

/** How long a page is shared between joiners that come back at once, in ms. */
const PAGE_LIFE_MS = 2000;
/** Wait between tries while the log cannot be read, in ms. */
const RETRY_MS = 300;

/**
 * What one node knows of one room's log: the last event it has heard. Everything logged is in Redis before it is told,
 * so whatever a subscription misses is read from there, and what arrives meanwhile needs no buffer.
 */
export class RoomFeed {
  readonly #log: Pick<EventLog, 'sync'>;
  readonly #place: { namespace: string; room: string };
  readonly #sink: FeedSink;
  #epoch = '';
  #offset = 0;
  /** What tells the event at the offset from another that took its place; the time when it was heard or read. */
  #lastId = '';
  #lastAt: number | undefined;
  /** Nothing is known of the room yet. */
  #isNew = true;
  #catchUp: Promise<void> | undefined;
  /** A live event has shown that the log goes at least this far. */
  #target = 0;
  #mustVerify = false;
  #isSuspended = false;
  /** How often it was suspended: a verification that began before the last one does not count. */
  #suspensions = 0;
  /** How often the order was broken: a join that began before the last time is not whole. */
  #resets = 0;
  #lastReset: ResetReason | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** What was delivered since joins began, for each join under way. */
  readonly #collectors = new Set<LoggedEvent[]>();
  readonly #pages = new Map<string, Promise<LogPage>>();
  #closed = false;

  constructor(options: {
    log: Pick<EventLog, 'sync'>;
    place: { namespace: string; room: string };
    sink: FeedSink;
  }) {
    this.#log = options.log;
    this.#place = options.place;
    this.#sink = options.sink;
  }

  get position(): Position {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  /** It will tell of events that are in the log already. */
  get isBehind(): boolean {
    return this.#isSuspended || this.#target > this.#offset;
  }

  /** An event that came over the bus. */
  accept(event: LoggedEvent): void {
    const { epoch, offset } = event.meta;
    const isFirst = this.#epoch === '' && !this.#isNew && offset === 1;
    const isOurs = epoch === this.#epoch || isFirst;
    // A comparison under way holds nothing up: it was begun in doubt of what came before, not of what comes in order.
    if (isOurs && offset === this.#offset + 1 && !this.#isSuspended) {
      this.#advance(event);
      return;
    }
    if (this.#catchUp !== undefined || this.#isSuspended) {
      this.#target = Math.max(this.#target, offset);
      if (epoch !== this.#epoch) this.#mustVerify = true;
      return;
    }
    if (isOurs && offset <= this.#offset) return;
    this.#target = offset;
    this.verify().catch(() => undefined);
  }

  /**
   * Compares with the log and delivers what is missing. Rejects with `unavailable` when the log cannot be read, and
   * then tries again by itself.
   */
  verify(): Promise<void> {
    this.#mustVerify = true;
    this.#catchUp ??= this.#run().catch((error: unknown) => {
      this.#tryLater();
      throw error;
    });
    return this.#catchUp;
  }

  /** Settles when the feed is in step with the log, as far as it knows. */
  async settled(): Promise<void> {
    if (this.#isNew && this.#catchUp === undefined) await this.verify();
    else await this.#catchUp;
  }

  /** No live event is trusted until the next `verify` has succeeded: the subscription broke. */
  suspend(): void {
    this.#suspensions += 1;
    this.#isSuspended = true;
  }

  /**
   * Reads everything between a client's position and the node's. The answer is made by `admit`, to be called in the
   * step that makes the socket a member, so that nothing comes between the answer and the first live event.
   */
  async prepareJoin(request: JoinRequest): Promise<PreparedJoin> {
    await this.settled();
    const { since, budget } = request;
    // A client may have heard more on a faster node.
    if (since && since.epoch === this.#epoch && since.offset > this.#offset) await this.verify();
    const start = this.position;
    const resets = this.#resets;
    const collected: LoggedEvent[] = [];
    this.#collectors.add(collected);
    const dispose = () => void this.#collectors.delete(collected);
    try {
      const from = this.#startOf(request, start);
      const past =
        from === undefined || from === start.offset ? NOTHING : await this.#pastOf(from, start, budget);
      if (past === undefined)
        return { admit: await this.#postpone(from ?? 0, start, request), [Symbol.dispose]: dispose };
      const isWhole = from === start.offset || (from !== undefined && past[0]?.meta.offset === from + 1);
      const admit = (): JoinAnswer => {
        const reason = since && this.#reasonToReset(since, { start, resets, isWhole });
        if (from === undefined || resets !== this.#resets || reason !== undefined) {
          const answer = this.#answer(NOTHING, { ...request, since: undefined }, this.#offset);
          return reason === undefined ? answer : { ...answer, reason };
        }
        const end = past.at(-1)?.meta.offset ?? start.offset;
        const isAll = end === start.offset && collected.length > 0;
        const events = isAll ? [...past, ...collected] : past;
        return this.#answer(events, request, from);
      };
      return { admit, [Symbol.dispose]: dispose };
    } catch (error) {
      dispose();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #tryLater(): void {
    clearTimeout(this.#retry);
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.verify().catch(() => undefined), RETRY_MS);
  }

  #startOf({ since, replay }: JoinRequest, now: Position): number | undefined {
    if (since) return isKnown(since, now) ? since.offset : undefined;
    return replay === undefined ? now.offset : Math.max(0, now.offset - replay);
  }

  /** Why a socket cannot go on from its position, if it cannot; the join began at `start`, after so many resets. */
  #reasonToReset(
    since: Position,
    join: { start: Position; resets: number; isWhole: boolean },
  ): ResetReason | undefined {
    if (!isKnown(since, join.start)) return since.epoch === join.start.epoch ? 'lost' : 'epoch';
    if (join.resets !== this.#resets) return this.#lastReset;
    return join.isWhole ? undefined : 'retention';
  }

  #pastOf(
    from: number,
    to: Position,
    budget: JoinBudget | undefined,
  ): Promise<readonly LoggedEvent[] | undefined> {
    const read = () => this.#read(from, to);
    return budget === undefined ? read() : budget.read(read);
  }

  /** What is answered when other rooms have used up the budget: where to go on, which the log has to know. */
  async #postpone(from: number, { epoch }: Position, request: JoinRequest): Promise<() => JoinAnswer> {
    const isRecovering = request.since !== undefined;
    const position = { epoch, offset: from, id: '' };
    const { events } = isRecovering
      ? { events: [] }
      : await this.#log.sync(this.#place, position, { read: true, most: 1 });
    const offset = (events[0]?.meta.offset ?? from + 1) - 1;
    return () => ({ epoch, offset, recovered: isRecovering, events: [], more: true });
  }

  /** Events from a position to the node's, or more than an answer holds. */
  async #read(from: number, to: Position): Promise<readonly LoggedEvent[]> {
    let found: readonly LoggedEvent[] = NOTHING;
    let [cursor, bytes] = [from, 0];
    while (cursor < to.offset && found.length < PAGE_EVENTS && bytes < PAGE_BYTES) {
      const page = await this.#page(cursor, to.epoch);
      const isWholly = (page.events.at(-1)?.meta.offset ?? 0) <= to.offset;
      const wanted = isWholly ? page.events : page.events.filter(({ meta }) => meta.offset <= to.offset);
      // A shared page may be older than the next one, and the log have been trimmed in between.
      if (wanted.length === 0 || (found.length > 0 && wanted[0]?.meta.offset !== cursor + 1)) break;
      found = found.length === 0 ? wanted : [...found, ...wanted];
      for (const event of wanted) bytes += event.bytes;
      cursor = wanted.at(-1)?.meta.offset ?? cursor;
    }
    return found;
  }

  /** Clients that come back from the same outage ask for the same page. */
  #page(from: number, epoch: string): Promise<LogPage> {
    const key = `${epoch}:${from}`;
    const shared = this.#pages.get(key);
    if (shared !== undefined) return shared;
    const page = this.#log.sync(this.#place, { epoch, offset: from, id: '' }, { read: true });
    this.#pages.set(key, page);
    const forget = () => this.#pages.delete(key);
    setTimeout(forget, PAGE_LIFE_MS).unref();
    page.catch(forget);
    return page;
  }

  #answer(
    events: readonly LoggedEvent[],
    { since, budget, isLarge = false }: JoinRequest,
    from: number,
  ): JoinAnswer {
    const recovered = since !== undefined;
    const fitting = takeFitting(events, budget);
    const start = (events[0]?.meta.offset ?? from + 1) - 1;
    const offset = fitting.at(-1)?.meta.offset ?? start;
    const isCut = fitting.length < events.length || (fitting.length > 0 && offset < this.#offset);
    if (isCut || (isLarge && budget?.isSpent === true)) {
      return { epoch: this.#epoch, offset, recovered, events: fitting, more: true };
    }
    return { ...this.position, recovered, events: fitting };
  }

  async #run(): Promise<void> {
    try {
      let suspensions = this.#suspensions;
      while (this.#mustVerify || this.#target > this.#offset) {
        this.#mustVerify = false;
        suspensions = this.#suspensions;
        const target = this.#target;
        await this.#compare();
        if (this.#closed) return;
        // What was heard before the reading and is not in the log is nothing to wait for: it was lost, or never there.
        if (!this.#mustVerify && this.#target === target) this.#target = this.#offset;
      }
      if (suspensions === this.#suspensions) this.#isSuspended = false;
    } finally {
      // In the step that ends the loop: whoever asks after it gets a new one.
      this.#catchUp = undefined;
    }
  }

  async #compare(): Promise<void> {
    const known = { ...this.position, id: this.#lastId, at: this.#lastAt };
    const page = await this.#log.sync(this.#place, known, { read: !this.#isNew });
    if (this.#closed) return;
    if (this.#isNew) this.#start(page);
    else if (page.lost) this.#reset(page, 'lost');
    else if (known.epoch !== '' && page.head.epoch !== known.epoch) this.#reset(page, 'epoch');
    else this.#continue(page);
  }

  #start({ head, headId }: SyncPage): void {
    this.#isNew = false;
    this.#epoch = head.epoch;
    this.#offset = head.offset;
    this.#lastId = headId;
  }

  #continue(page: SyncPage): void {
    const { head, events } = page;
    // What came live meanwhile may have been the first event of all.
    if (this.#epoch !== '' && head.epoch !== this.#epoch) {
      this.#mustVerify = head.epoch !== '';
      return;
    }
    for (const event of events) {
      if (event.meta.offset <= this.#offset) continue;
      if (event.meta.offset !== this.#offset + 1) {
        this.#reset(page, 'retention');
        return;
      }
      this.#advance(event);
    }
    if (head.offset <= this.#offset) return;
    if (events.length === 0) this.#reset(page, 'retention');
    else this.#mustVerify = true;
  }

  #advance(event: LoggedEvent): void {
    this.#epoch = event.meta.epoch;
    this.#offset = event.meta.offset;
    this.#lastId = event.meta.id;
    this.#lastAt = event.meta.at;
    for (const collected of this.#collectors) collected.push(event);
    this.#sink.deliver(event);
  }

  #reset({ head, headId }: SyncPage, reason: ResetReason): void {
    this.#resets += 1;
    this.#lastReset = reason;
    this.#epoch = head.epoch;
    this.#offset = head.offset;
    this.#lastId = headId;
    this.#lastAt = undefined;
    this.#target = head.offset;
    this.#sink.reset(head, reason);
  }
}

/** Whether a position is one of the room's; that of a room nobody had published to is before everything. */
const isKnown = (since: Position, now: Position): boolean =>
  (since.epoch === now.epoch && since.offset <= now.offset) || (since.epoch === '' && since.offset === 0);

/** As many of the first events as one answer may hold, and as there is room for in that of several rooms. */
const takeFitting = (
  events: readonly LoggedEvent[],
  budget: JoinBudget | undefined,
): readonly LoggedEvent[] => {
  let total = 0;
  const tooMany = events.findIndex(({ bytes }, i) => {
    total += bytes;
    return i === PAGE_EVENTS || (total > PAGE_BYTES && i > 0) || budget?.spend(bytes) === false;
  });
  return tooMany === -1 ? events : events.slice(0, tooMany);
};

const NOTHING: readonly LoggedEvent[] = [];
