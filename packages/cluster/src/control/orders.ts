import { AppError } from '@fanfare/protocol';
import { z } from 'zod';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { loadScript } from '../redis/script.ts';
import { type GivenOrder, givenOrder, lifeOf, type Order, subjectOf } from './order.ts';

const give = loadScript(new URL('give.lua', import.meta.url));
const read = loadScript(new URL('read.lua', import.meta.url), { onlyReads: true });

const json = z.instanceof(Buffer).transform((text): unknown => JSON.parse(text.toString()));
const givenReply = json.pipe(givenOrder);
const readReply = z.array(json.pipe(givenOrder));

/** Most subjects of orders that are remembered at once: about 30 MB in Redis, 20 MB in every process of a gateway. */
const MAX_SUBJECTS = 100_000;

const DAY_MS = 86_400_000;

/** Orders in one answer. */
const PAGE = 500;

/** The orders that are in force, in Redis. Whatever Redis refuses or does not answer in time is `unavailable`. */
export class Orders {
  readonly #link: Pick<RedisLink, 'pub' | 'isSharded'>;
  readonly #longestTokenMs: number;

  constructor(link: Pick<RedisLink, 'pub' | 'isSharded'>, longestTokenMs = DAY_MS) {
    this.#link = link;
    this.#longestTokenMs = longestTokenMs;
  }

  /** Keeps an order for as long as a token may live, and tells the nodes of it. */
  async give(order: Order): Promise<GivenOrder> {
    const reply = await give
      .run(
        this.#link.pub,
        [keys.orderNumbers, keys.orderEnds, keys.orders],
        [
          this.#link.isSharded ? 'SPUBLISH' : 'PUBLISH',
          keys.orderChannel,
          subjectOf(order),
          JSON.stringify(order),
          lifeOf(order, this.#longestTokenMs),
          MAX_SUBJECTS,
        ],
      )
      .catch(unavailable);
    if (reply === null)
      throw new AppError('unavailable', `${MAX_SUBJECTS} revocations are in force, which is the limit`);
    return givenReply.parse(reply);
  }

  /** The orders after a number, the oldest first. */
  async after(number: number): Promise<GivenOrder[]> {
    const found: GivenOrder[] = [];
    for (let last = number; ; ) {
      const reply = await read
        .run(this.#link.pub, [keys.orderNumbers, keys.orders], [last, PAGE])
        .catch(unavailable);
      const page = readReply.parse(reply);
      found.push(...page);
      last = page.at(-1)?.number ?? last;
      if (page.length < PAGE) return found;
    }
  }
}

const unavailable = (cause: unknown): never => {
  throw new AppError('unavailable', undefined, { cause });
};
