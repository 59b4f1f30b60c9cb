import { randomBytes } from 'node:crypto';
import type { RedisLink } from '../redis/link.ts';
import { MissedEvents } from './missed-events.ts';
import type { BusObserver } from './observer.ts';

type Listener = (message: Buffer) => void;
/** Told which subscriptions still stand: of a Redis Cluster those of the other shards. */
type Interrupted = (stands: (channel: string) => boolean) => void;

/** Most channels in one SUBSCRIBE. */
const BATCH = 1000;
/** A probe that was sent so long before the last message was heard, in ms, says that messages came late or never. */
const LATE_MS = 1500;

/** Time until what a shard refused is asked for again, in ms. */
const MEND_MS = 1000;
/** Least time between two commands that nobody waits for, in ms: each costs more than the channels in it. */
const GATHER_MS = 5;

/**
 * The messages of a process: exact channels, each with one listener. Subscriptions of a tick go out together, and
 * all are made again after a reconnect. Nothing here throws: a Redis that is away is counted and waited for.
 */
export class Bus implements AsyncDisposable {
  readonly #link: RedisLink;
  readonly #observer: BusObserver;
  readonly #listeners = new Map<string, Listener>();
  /** Channels that Redis has confirmed on the present connection. */
  readonly #standing = new Set<string>();
  #adding = new Set<string>();
  #removing = new Set<string>();
  #flush: Flush | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  readonly #interrupted = new Set<Interrupted>();
  readonly #restored = new Set<() => void>();
  readonly #missed: MissedEvents;
  #mending: NodeJS.Timeout | undefined;
  /** When something was last heard, and when the last probe that was heard had been sent. */
  #heardAt = 0;
  #probeSentAt = Number.POSITIVE_INFINITY;
  /** Since when messages may have been missed; undefined while there is no reason to think so. */
  #deafSince: number | undefined;

  constructor(link: RedisLink, observer: BusObserver) {
    this.#link = link;
    this.#observer = observer;
    this.#missed = new MissedEvents(
      {
        publish: (channel, message) => void link.publish(channel, message).catch(() => undefined),
        listen: (channel, listener) => this.listen(channel, listener),
        unlisten: (channel) => this.unlisten(channel),
        wants: (channel) => this.#listeners.has(channel),
      },
      { by: randomBytes(8).toString('hex'), onMissed: (count) => observer.missed(count) },
    );
    link.onMessage(this.#receive);
    link.onSubscriptions({ lost: this.#interrupt, ready: this.#restore });
    if (link.isListening) this.#restore();
  }

  /** Whether messages can come in. */
  get isListening(): boolean {
    return this.#link.isListening;
  }

  /** Called when subscriptions broke, and when they stand again. */
  onChange(listeners: { interrupted: Interrupted; restored: () => void }): void {
    this.#interrupted.add(listeners.interrupted);
    this.#restored.add(listeners.restored);
  }

  /** Hands a message to Redis without waiting; what Redis does not take is counted. */
  publish(channel: string, message: string | Buffer): void {
    this.#link.publish(channel, message).catch((error: unknown) => this.#observer.publishDropped(error));
  }

  /** The same for an event that has no log: a process that cannot hear it counts it once it hears again. */
  broadcast(channel: string, message: string | Buffer): void {
    this.#link.publish(channel, message).then(
      () => this.#missed.sent(channel),
      (error: unknown) => this.#observer.publishDropped(error),
    );
  }

  /** As `broadcast`; resolves with how many listen, and rejects when Redis does not take it. */
  async send(channel: string, message: string | Buffer): Promise<number> {
    const listeners = Number(await this.#link.publish(channel, message));
    this.#missed.sent(channel);
    return listeners;
  }

  /** A probe came back that was sent at a time of `performance.now()`: so far nothing was missed. */
  proveHeard(sentAt: number): void {
    this.#probeSentAt = sentAt;
  }

  /** Resolves once the subscription stands, or at once while Redis is away: it is then made on the way back. */
  async listen(channel: string, listener: Listener): Promise<void> {
    if (this.#wish(channel, listener)) await this.#schedule().hurried();
  }

  /** As `listen`, where nobody waits: at once in quiet times, within milliseconds while many are wished for. */
  listenSoon(channel: string, listener: Listener): void {
    if (this.#wish(channel, listener)) this.#schedule();
  }

  unlisten(channel: string): void {
    this.#listeners.delete(channel);
    this.#adding.delete(channel);
    if (!this.isListening) return;
    this.#removing.add(channel);
    this.#schedule();
  }

  /** Whoever follows something compares it with Redis: it is not what it was, although nothing broke. */
  doubt(): void {
    for (const tell of this.#restored) tell();
  }

  /** Resolves once what was asked for so far stands. */
  async settled(): Promise<void> {
    await this.#schedule().hurried();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#mending);
    this.#missed[Symbol.dispose]();
    this.#listeners.clear();
    this.#interrupted.clear();
    this.#restored.clear();
  }

  readonly #receive = (channel: string, message: Buffer): void => {
    this.#heardAt = performance.now();
    try {
      this.#listeners.get(channel)?.(message);
    } catch {
      this.#observer.invalidMessage(channel);
    }
  };

  readonly #interrupt = (): void => {
    const lost = this.#link.lost(this.#standing);
    if (this.#link.isSharded && lost.length === 0) return;
    for (const channel of lost) this.#standing.delete(channel);
    // A process that stood still hears what is left in its buffers before it learns that Redis has cut it off.
    const isLate = this.#heardAt - this.#probeSentAt > LATE_MS;
    if (this.#heardAt > 0) this.#deafSince ??= isLate ? this.#probeSentAt : this.#heardAt;
    for (const tell of this.#interrupted) tell((channel) => this.#standing.has(channel));
  };

  readonly #restore = (): void => {
    this.#compare();
    void this.#schedule()
      .hurried()
      .then(() => {
        if (!this.isListening) return;
        this.#askMissed();
        for (const tell of this.#restored) tell();
      });
  };

  /** Asks for what the connections lack, and drops what they have and nobody wants. */
  #compare(): void {
    const { standing, missing, stray } = this.#link.compare(this.#listeners);
    this.#standing.clear();
    for (const channel of standing) this.#standing.add(channel);
    this.#adding = new Set(missing);
    this.#removing = new Set(stray);
  }

  /** Asks again for what was refused, as no connection breaks by that. */
  #mendLater(): void {
    this.#mending ??= setTimeout(() => {
      this.#mending = undefined;
      if (!this.isListening) return;
      this.#compare();
      void this.#schedule()
        .hurried()
        .then(() => this.#isWhole && this.#askMissed());
    }, MEND_MS);
  }

  /** Asks what was sent while this process was deaf; on a cluster it may still be for a part of its channels. */
  #askMissed(): void {
    if (this.#deafSince === undefined) return;
    this.#missed.heardAgain(this.#deafSince);
    this.#deafSince = this.#isWhole ? undefined : performance.now();
  }

  /** Whether all subscriptions stand, as far as is known. */
  get #isWhole(): boolean {
    return !this.#link.isSharded || this.#standing.size >= this.#listeners.size;
  }

  /** Whether a command is needed for it. */
  #wish(channel: string, listener: Listener): boolean {
    this.#listeners.set(channel, listener);
    this.#removing.delete(channel);
    if (this.#standing.has(channel) || !this.isListening) return false;
    this.#adding.add(channel);
    return true;
  }

  /** The next commands: at the end of this turn of the event loop when they are hurried, or the last ones are long ago. */
  #schedule(): Flush {
    this.#flush ??= createFlush(this.#flushedAt + GATHER_MS - performance.now(), () => {
      this.#flush = undefined;
      this.#flushedAt = performance.now();
      return this.#apply();
    });
    return this.#flush;
  }

  #stand(channel: string): void {
    this.#standing.add(channel);
    // Nobody wants it any more: the wish went while the command was under way.
    if (!this.#listeners.has(channel)) this.unlisten(channel);
  }

  async #apply(): Promise<void> {
    const adding = [...this.#adding];
    // What the client of a cluster has once subscribed to, standing or not, it subscribes to again by itself.
    const removing = [...this.#removing].filter(
      (channel) => this.#link.isSharded || this.#standing.has(channel),
    );
    this.#adding.clear();
    this.#removing.clear();
    const commands: Promise<unknown>[] = [];
    for (let i = 0; i < removing.length; i += BATCH) {
      const batch = removing.slice(i, i + BATCH);
      for (const channel of batch) this.#standing.delete(channel);
      commands.push(this.#link.unsubscribe(batch));
    }
    for (let i = 0; i < adding.length; i += BATCH) {
      commands.push(
        this.#link.subscribe(adding.slice(i, i + BATCH)).then((made) => {
          for (const channel of made) this.#stand(channel);
        }),
      );
    }
    // A command that fails does so with its connection, and the next connection subscribes to everything; but a shard
    // may refuse one too.
    await Promise.allSettled(commands);
    const isRefused = (channel: string) => this.#listeners.has(channel) && !this.#standing.has(channel);
    if (this.#link.isSharded && adding.some(isRefused)) this.#mendLater();
  }
}

interface Flush {
  /** Resolves once it is done, which it is without further wait. */
  hurried(): Promise<void>;
}

const createFlush = (waitMs: number, run: () => Promise<void>): Flush => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = promise.then(run);
  let timer: NodeJS.Timeout | undefined;
  if (waitMs > 0) timer = setTimeout(resolve, waitMs);
  else setImmediate(resolve);
  return {
    hurried: () => {
      if (timer !== undefined) {
        clearTimeout(timer);
        timer = undefined;
        setImmediate(resolve);
      }
      return done;
    },
  };
};
