import { randomUUID } from 'node:crypto';
import { AppError, matchesPattern } from '@fanfare/protocol';
import { z } from 'zod';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { loadScript, type RedisCommands } from '../redis/script.ts';
import {
  type Append,
  type AppendCall,
  type Appended,
  type AppendResult,
  byRoom,
  callOf,
  type RoomAppends,
  readReply,
  type Sequence,
} from './appending.ts';
import { listRooms, type RoomPosition } from './rooms.ts';
import { EPOCH_LENGTH, encodeTime, type LoggedEvent, type NewEvent, OFFSET_MARK, readEntry } from './wire.ts';

/** How much of a room's past is kept; the first of the three that is reached decides. */
export interface Retention {
  count: number;
  bytes: number;
  ageMs: number;
}

export interface RetentionRule extends Retention {
  /** Room pattern such as `chat:*`; the first rule that matches is used. */
  pattern: string;
}

export interface Position {
  epoch: string;
  offset: number;
}

interface AppendOptions {
  publisher: string;
  remember: boolean;
  sequence?: Sequence | undefined;
}

/** A page of a room's log with the head at the moment of reading. */
export interface LogPage {
  head: Position;
  events: LoggedEvent[];
}

export interface HistoryPage extends LogPage {
  /** Offset of the first entry that was read, whether or not it is an event; absent at the end of the log. */
  first?: number | undefined;
}

export interface SyncPage extends LogPage {
  /** Id of the event at the head; empty when the log does not have it. */
  headId: string;
  /** Redis has less than the node has heard: the epoch is a new one. */
  lost: boolean;
}

/** Most that one answer of the log holds. */
export const PAGE_EVENTS = 500;
export const PAGE_BYTES = 1_000_000;

/** How long an event's id is remembered, in ms. */
export const ID_LIFE_MS = 600_000;
/** The same for an id that nobody can repeat, where the client of a Redis Cluster may send a command again. */
const RESEND_LIFE_MS = 10_000;
/** How long the position of a room that nobody publishes to is remembered, in ms. */
const HEAD_LIFE_MS = 30 * 86_400_000;

const append = loadScript(new URL('append.lua', import.meta.url));
const sync = loadScript(new URL('sync.lua', import.meta.url));
const history = loadScript(new URL('history.lua', import.meta.url));
const clear = loadScript(new URL('clear.lua', import.meta.url));

const text = z.instanceof(Buffer).transform(String);
const entries = z.array(z.union([z.int(), z.instanceof(Buffer)]));
const syncReply = z.tuple([text, z.int(), z.int(), entries, text]);
const historyReply = z.tuple([text, z.int(), entries]);

/** Random digits that a UUID has at both ends; Node makes them many at a time. */
const newEpoch = (): string => {
  const uuid = randomUUID();
  return uuid.slice(0, EPOCH_LENGTH / 2) + uuid.slice(-EPOCH_LENGTH / 2);
};

/** Each message comes after its offset. */
const eventsOf = (found: z.output<typeof entries>, epoch: string): LoggedEvent[] =>
  found.flatMap((item, i) =>
    Buffer.isBuffer(item) ? [readEntry(item, { epoch, offset: Number(found[i - 1]) })] : [],
  );

/** The bounded log of every room, in Redis. Whatever Redis refuses or does not answer in time is `unavailable`. */
export class EventLog {
  readonly #redis: RedisCommands;
  readonly #retention: readonly RetentionRule[];
  readonly #isSharded: boolean;

  constructor(link: Pick<RedisLink, 'pub' | 'isSharded'>, retention: readonly RetentionRule[]) {
    this.#redis = link.pub;
    this.#isSharded = link.isSharded;
    this.#retention = retention;
  }

  /**
   * Appends an event and tells the room, in one step. `remember` says that the publisher may repeat the id: the same id
   * of the same publisher is appended once and answered with its first position.
   */
  async append(event: NewEvent, options: AppendOptions): Promise<Appended> {
    const [appended] = await this.#append(event, callOf(this.#appendOf(event, options)));
    if (appended === undefined) throw new AppError('internal');
    return appended;
  }

  /**
   * Appends events of one room or of many, at the cost of one call a room, and resolves with a result for each. The
   * events of a room are appended in order: after one that could not be, no later one is.
   */
  async appendMany(events: readonly ({ event: NewEvent } & AppendOptions)[]): Promise<AppendResult[]> {
    const results: AppendResult[] = [];
    const appends = events.map(({ event, ...options }) => this.#appendOf(event, options));
    await Promise.all(byRoom(appends).map((room) => this.#appendTo(room, results)));
    return results;
  }

  #appendOf(event: NewEvent, { publisher, remember, sequence }: AppendOptions): Append {
    const otherwiseMs = this.#isSharded ? RESEND_LIFE_MS : 0;
    return { event, publisher, rememberMs: remember ? ID_LIFE_MS : otherwiseMs, sequence };
  }

  async #appendTo({ room, calls }: RoomAppends, results: AppendResult[]): Promise<void> {
    let failed: AppError | undefined;
    for (const call of calls) {
      let appended: Appended[] = [];
      try {
        if (failed === undefined) appended = await this.#append(room, call);
      } catch (error) {
        failed = AppError.from(error);
      }
      for (const [i, place] of call.places.entries()) {
        results[place] = failed ?? appended[i] ?? new AppError('internal');
      }
    }
  }

  async #append(place: { namespace: string; room: string }, call: AppendCall): Promise<Appended[]> {
    const { room } = place;
    const rule = this.#retention.find(({ pattern }) => matchesPattern(pattern, room));
    if (rule === undefined)
      throw new TypeError(`No retention rule matches ${room}: the last one must match everything`);
    const reply = await this.#run(append, place, call.ids, [
      this.#isSharded ? 'SPUBLISH' : 'PUBLISH',
      newEpoch(),
      rule.count,
      rule.bytes,
      rule.ageMs,
      HEAD_LIFE_MS,
      OFFSET_MARK,
      call.sequence,
      ...call.args,
    ]);
    return readReply(reply);
  }

  /** What came after a position, and whether the log still knows that position; `id` and `at` are those of the event there. */
  async sync(
    place: { namespace: string; room: string },
    position: Position & { id: string; at?: number | undefined },
    { read, most = PAGE_EVENTS }: { read: boolean; most?: number },
  ): Promise<SyncPage> {
    const { epoch: known, offset: last, id, at } = position;
    const time = at === undefined ? '' : encodeTime(at);
    const args = [known, last, id, read ? most : 0, PAGE_BYTES, newEpoch(), time];
    const [epoch, offset, lost, found, headId] = syncReply.parse(await this.#run(sync, place, [], args));
    return { head: { epoch, offset }, headId, lost: lost === 1, events: eventsOf(found, epoch) };
  }

  /**
   * Reads on from an offset in either direction, itself not included; without one from the beginning, or backward from
   * the end. A page has `limit` events or about 1 MB of them, and is empty at the end alone; entries that are no events
   * are left out.
   */
  async history(
    place: { namespace: string; room: string },
    query: { direction: 'forward' | 'backward'; from?: number | undefined; limit: number },
  ): Promise<HistoryPage> {
    let { from } = query;
    let first: number | undefined;
    while (true) {
      const args = [query.direction, from ?? '', query.limit, PAGE_BYTES];
      const [epoch, offset, found] = historyReply.parse(await this.#run(history, place, [], args));
      const all = eventsOf(found, epoch);
      const events = all.filter(({ isUnreadable }) => isUnreadable !== true);
      first ??= all[0]?.meta.offset;
      from = all.at(-1)?.meta.offset;
      if (events.length > 0 || from === undefined) return { head: { epoch, offset }, events, first };
    }
  }

  /** Forgets a room's events, not its position; resolves with how many there were. */
  async clear(place: { namespace: string; room: string }): Promise<number> {
    return z.int().parse(await this.#run(clear, place, [], []));
  }

  /**
   * The rooms of a namespace that have a position, in no order: about `limit` at a time, with a cursor for the next
   * page. A page may be short, even empty, while there are more.
   */
  listRooms(
    namespace: string,
    page: { cursor?: string | undefined; limit: number },
  ): Promise<{ rooms: RoomPosition[]; next?: string }> {
    return listRooms(this.#redis, namespace, page).catch((cause: unknown) => {
      throw cause instanceof AppError ? cause : new AppError('unavailable', undefined, { cause });
    });
  }

  #run(
    script: ReturnType<typeof loadScript>,
    { namespace, room }: { namespace: string; room: string },
    moreKeys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    const all = [keys.roomHead(namespace, room), keys.roomLog(namespace, room), ...moreKeys];
    return script.run(this.#redis, all, args).catch((cause: unknown) => {
      throw new AppError('unavailable', undefined, { cause });
    });
  }
}
