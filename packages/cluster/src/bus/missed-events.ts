import { z } from 'zod';
import { keys } from '../keys.ts';
import { SentLately } from './sent-lately.ts';

/** When a process asks after it hears again, in ms: those it asks may themselves still be on their way back. */
const ASK_AFTER_MS = [0, 1000, 4000];
/** A gap is asked after for so long, in ms; also after further ones. */
const GAP_LIFE_MS = 10_000;
const MAX_GAPS = 32;
/** What a question may be under way, in ms: the moments in it are told by how long they are past. */
const SLACK_MS = 250;
/** Most channels named in an answer. */
const MAX_NAMED = 2000;

const question = z.looseObject({
  by: z.string(),
  gaps: z.array(z.looseObject({ id: z.int(), sinceMs: z.number(), untilMs: z.number() })).max(MAX_GAPS),
});
const answer = z.looseObject({
  by: z.string(),
  gap: z.int(),
  sent: z.array(z.tuple([z.string(), z.int()])),
  others: z.int(),
});

/** What it needs of the bus, which it is a part of. */
export interface MissedBus {
  publish(channel: string, message: string): void;
  listen(channel: string, listener: (message: Buffer) => void): Promise<void>;
  unlisten(channel: string): void;
  /** Whether somebody here wants the messages of a channel. */
  wants(channel: string): boolean;
}

/** A time in which this process heard nothing, and what each other one says that it sent meanwhile. */
interface Gap {
  id: number;
  since: number;
  until: number;
  sentBy: Map<string, number>;
}

/**
 * Counts what others told while this process was deaf: nobody else can, as Redis takes a message whoever listens. After a
 * gap it asks all processes what they sent in it, and counts what went to channels that it wants. Rather a few too many
 * than one too few.
 */
export class MissedEvents implements Disposable {
  readonly #bus: MissedBus;
  readonly #by: string;
  readonly #onMissed: (count: number) => void;
  readonly #sent = new SentLately();
  readonly #timers = new Set<NodeJS.Timeout>();
  #gaps: Gap[] = [];
  #lastId = 0;

  constructor(bus: MissedBus, options: { by: string; onMissed: (count: number) => void }) {
    this.#bus = bus;
    this.#by = options.by;
    this.#onMissed = options.onMissed;
    void bus.listen(keys.missedChannel, (message) => this.#answer(JSON.parse(message.toString())));
    void bus.listen(keys.missedAnswerChannel(this.#by), (message) =>
      this.#count(JSON.parse(message.toString())),
    );
  }

  /** Redis has taken a message for others. */
  sent(channel: string): void {
    this.#sent.add(channel, performance.now());
  }

  /** Everything is heard again; what was sent since then may not have been. */
  heardAgain(since: number): void {
    const now = performance.now();
    this.#gaps = this.#gaps.filter(({ until }) => until > now - GAP_LIFE_MS).slice(1 - MAX_GAPS);
    this.#lastId += 1;
    this.#gaps.push({ id: this.#lastId, since, until: now, sentBy: new Map() });
    this[Symbol.dispose]();
    for (const ms of ASK_AFTER_MS) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#ask();
      }, ms);
      this.#timers.add(timer);
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #ask(): void {
    const now = performance.now();
    const gaps = this.#gaps.map(({ id, since, until }) => ({
      id,
      sinceMs: now - since,
      untilMs: now - until,
    }));
    this.#bus.publish(keys.missedChannel, JSON.stringify({ by: this.#by, gaps }));
  }

  #answer(message: unknown): void {
    const { by, gaps } = question.parse(message);
    if (by === this.#by) return;
    const now = performance.now();
    for (const { id, sinceMs, untilMs } of gaps) {
      const { byChannel, others } = this.#sent.between(now - sinceMs - SLACK_MS, now - untilMs);
      const all = [...byChannel];
      const unnamed = all.slice(MAX_NAMED).reduce((sum, [, count]) => sum + count, others);
      if (all.length === 0 && unnamed === 0) continue;
      const told = { by: this.#by, gap: id, sent: all.slice(0, MAX_NAMED), others: unnamed };
      this.#bus.publish(keys.missedAnswerChannel(by), JSON.stringify(told));
    }
  }

  #count(message: unknown): void {
    const { by, gap: id, sent, others } = answer.parse(message);
    const gap = this.#gaps.find((one) => one.id === id);
    if (gap === undefined) return;
    const wanted = sent.filter(([channel]) => this.#bus.wants(channel));
    const count = wanted.reduce((sum, [, times]) => sum + times, others);
    // Asked more than once, it may know of more by then.
    const counted = gap.sentBy.get(by) ?? 0;
    if (count <= counted) return;
    gap.sentBy.set(by, count);
    this.#onMissed(count - counted);
  }
}
