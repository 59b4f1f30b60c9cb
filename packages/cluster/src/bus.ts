import { setImmediate as immediate } from 'node:timers/promises';
import type { BusObserver } from './adapter/bus-observer.ts';
import type { RedisLink } from './redis.ts';

type Listener = (message: Buffer) => void;

/** Most channels in one SUBSCRIBE. */
const BATCH = 1000;

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
  #flush: Promise<void> | undefined;
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
  listen(channel: string, listener: Listener): Promise<void> {
    this.#listeners.set(channel, listener);
    this.#removing.delete(channel);
    if (this.#standing.has(channel) || !this.isListening) return Promise.resolve();
    this.#adding.add(channel);
    return this.#schedule();
  }

  unlisten(channel: string): void {
    this.#listeners.delete(channel);
    this.#adding.delete(channel);
    if (!this.isListening) return;
    this.#removing.add(channel);
    void this.#schedule();
  }

  /** Resolves once what was asked for so far stands. */
  async settled(): Promise<void> {
    await this.#schedule();
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
    void this.#schedule().then(() => {
      if (!this.isListening) return;
      for (const tell of this.#restored) tell();
    });
  };

  /** One flush per turn of the event loop. */
  #schedule(): Promise<void> {
    this.#flush ??= immediate().then(() => {
      this.#flush = undefined;
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
