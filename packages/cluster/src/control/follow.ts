import { z } from 'zod';
import type { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import { ACTION_LIFE_MS, type GivenOrder, givenAt, givenOrder, isLasting } from './order.ts';
import type { Orders } from './orders.ts';
import { Standing } from './standing.ts';

type CarryOut = (given: readonly GivenOrder[]) => void;

const announcement = z.object({ before: z.int(), given: givenOrder });

/** How often orders are read whether or not anything was heard, in ms: a deaf subscription is silent. */
const CHECK_MS = 1000;

/**
 * The orders as a node follows them. What comes over the bus is carried out as it comes, before whatever was published
 * after it; where one is missing, and after every break of the bus, they are read from Redis.
 */
export class FollowedOrders implements AsyncDisposable {
  readonly standing: Standing = new Standing();
  readonly #orders: Pick<Orders, 'after'>;
  readonly #bus: Bus;
  #carryOut: CarryOut = () => undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = Date.now();
  #last = 0;
  #readAt = Date.now();
  /** Orders may have been given that this node has not heard of. */
  #isBehind = true;
  /** How often the bus broke, or an order was heard whose forerunner was not. */
  #breaks = 0;
  #reading: Promise<void> | undefined;
  readonly #known = Promise.withResolvers<void>();

  constructor(options: {
    orders: Pick<Orders, 'after'>;
    bus: Bus;
  }) {
    this.#orders = options.orders;
    this.#bus = options.bus;
    void this.#bus.listen(keys.orderChannel, this.#hear);
    this.#bus.onChange({ interrupted: () => this.#break(), restored: () => this.#tryRead() });
    this.#timer = setInterval(() => this.#tryRead(), CHECK_MS);
    this.#tryRead();
  }

  /** From now on new orders are handed to this, the oldest first, once `standing` knows of them. */
  follow(carryOut: CarryOut): void {
    this.#carryOut = carryOut;
  }

  /** Resolves once the orders were read for the first time. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /**
   * Settles when every order has been carried out that was given before the bus last broke. Rejects with `unavailable`
   * when they cannot be read.
   */
  inStep(): Promise<void> {
    return this.#isBehind ? this.#read() : IN_STEP;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#bus.unlisten(keys.orderChannel);
  }

  /** Throws on what is not an order, which the bus counts. */
  readonly #hear = (message: Buffer): void => {
    const { before, given } = announcement.parse(JSON.parse(message.toString()));
    if (given.number <= this.#last) return;
    if (before === this.#last) {
      this.#apply([given]);
      return;
    }
    this.#break();
    this.#tryRead();
  };

  #break(): void {
    this.#breaks += 1;
    this.#isBehind = true;
  }

  #tryRead(): void {
    this.#read().catch(() => undefined);
  }

  #read(): Promise<void> {
    this.#reading ??= this.#catchUp().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #catchUp(): Promise<void> {
    let breaks: number;
    do {
      breaks = this.#breaks;
      await this.#readOnce();
    } while (breaks !== this.#breaks);
    this.#isBehind = false;
    this.#known.resolve();
  }

  async #readOnce(): Promise<void> {
    const startedAt = Date.now();
    const last = this.#last;
    // What lifts a removal is not remembered for longer.
    const isAnew = startedAt - this.#readAt > ACTION_LIFE_MS;
    const found = await this.#orders.after(isAnew ? 0 : last);
    if (isAnew) {
      // What was heard while this was read may be newer.
      if (last !== this.#last) return this.#readOnce();
      this.standing.clear();
      for (const one of found) this.standing.apply(one);
    }
    this.#readAt = startedAt;
    this.standing.sweep(startedAt);
    this.#apply(found.filter(({ number }) => number > this.#last));
  }

  #apply(given: readonly GivenOrder[]): void {
    const isFirst = this.#last === 0;
    for (const one of given) this.standing.apply(one);
    this.#last = given.at(-1)?.number ?? this.#last;
    // What was done once before the process was there is not done again to who is new here.
    const due = given.filter((one) => !isFirst || isLasting(one) || givenAt(one) >= this.#startedAt);
    if (due.length > 0) this.#carryOut(due);
  }
}

const IN_STEP = Promise.resolve();
