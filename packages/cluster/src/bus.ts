import type { BusObserver } from './adapter/bus-observer.ts';
import type { RedisLink } from './redis.ts';

type Listener = (message: Buffer) => void;

/** Most channels in one SUBSCRIBE. */
const BATCH = 1000;

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
  readonly #interrupted = new Set<() => void>();
  readonly #restored = new Set<() => void>();

  constructor(link: RedisLink, observer: BusObserver) {
    this.#link = link;
    this.#observer = observer;
    link.onMessage(this.#receive);
    link.onSubscriptions({ lost: this.#interrupt, ready: this.#restore });
    if (link.isListening) this.#restore();
  }

  /** Whether messages can come in. */
  get isListening(): boolean {
    return this.#link.isListening;
  }

  /** Called when the subscriptions broke, and when all of them stand again. */
  onChange(listeners: { interrupted: () => void; restored: () => void }): void {
    this.#interrupted.add(listeners.interrupted);
    this.#restored.add(listeners.restored);
  }

  /** Hands a message to Redis without waiting; what Redis does not take is counted. */
  publish(channel: string, message: string | Buffer): void {
    this.#link.publish(channel, message).catch((error: unknown) => this.#observer.publishDropped(error));
  }

  /** Hands a message to Redis; resolves with how many listen. Rejects when Redis does not take it. */
  async send(channel: string, message: string | Buffer): Promise<number> {
    return Number(await this.#link.publish(channel, message));
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

  /** Resolves once what was asked for so far stands. */
  async settled(): Promise<void> {
    await this.#schedule().hurried();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    this.#interrupted.clear();
    this.#restored.clear();
  }

  readonly #receive = (channel: string, message: Buffer): void => {
    try {
      this.#listeners.get(channel)?.(message);
    } catch {
      this.#observer.invalidMessage(channel);
    }
  };

  readonly #interrupt = (): void => {
    this.#standing.clear();
    for (const tell of this.#interrupted) tell();
  };

  readonly #restore = (): void => {
    this.#adding = new Set(this.#listeners.keys());
    this.#removing.clear();
    void this.#schedule()
      .hurried()
      .then(() => {
        if (!this.isListening) return;
        for (const tell of this.#restored) tell();
      });
  };

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
    const removing = [...this.#removing].filter((channel) => this.#standing.has(channel));
    this.#adding.clear();
    this.#removing.clear();
    const commands: Promise<unknown>[] = [];
    for (let i = 0; i < removing.length; i += BATCH) {
      const batch = removing.slice(i, i + BATCH);
      for (const channel of batch) this.#standing.delete(channel);
      commands.push(this.#link.unsubscribe(batch));
    }
    for (let i = 0; i < adding.length; i += BATCH) {
      const batch = adding.slice(i, i + BATCH);
      commands.push(
        this.#link.subscribe(batch).then(() => {
          for (const channel of batch) this.#stand(channel);
        }),
      );
    }
    // A command that fails does so with its connection, and the next connection subscribes to everything.
    await Promise.allSettled(commands);
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
