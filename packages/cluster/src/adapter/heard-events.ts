import { ID_LIFE_MS } from '../event-log/event-log.ts';
import type { Hearing, LoggedEvent } from '../event-log/wire.ts';
import { toldRoom } from '../inbox.ts';

/** How many are remembered whatever comes after them. */
const LAST = 256;
/** How long all are remembered while others of their rooms may still bring them again, in ms: rooms are read one by one. */
const AWAITED_MS = 60_000;
/** Most of all: the default retention of the fifty rooms of a request. */
const MOST = 50_000;
/** So many more at a time are forgotten: to find the oldest, a Map walks over what has gone before. */
const STEP = 64;

/** The events for several rooms that one socket has heard; those of one page share what is kept of them. */
export class HeardEvents {
  readonly #hearings = new Map<string, Hearing>();
  #awaitedUntil = 0;

  get size(): number {
    return this.#hearings.size;
  }

  /**
   * Notes an event as heard; false when it has been. `isAwaited`: another of its rooms may still bring it, one that the
   * socket is in and that is behind its log, or one that it is joining.
   */
  hear({ hearing, rooms = [] }: LoggedEvent, isAwaited: boolean): boolean {
    if (hearing === undefined) return true;
    const known = this.#hearings.get(hearing.publication);
    if (known !== undefined && isHeard(hearing, known, rooms)) return false;
    this.#hearings.set(hearing.publication, hearing);
    if (isAwaited) this.#awaitedUntil = hearing.readAt + AWAITED_MS;
    if (this.#hearings.size > LAST && this.#hearings.size % STEP === 0) this.forget(hearing.readAt);
    return true;
  }

  /** Lets go of what is no longer needed at a time, in ms. */
  forget(now: number): void {
    for (const [publication, { readAt }] of this.#hearings) {
      if (!this.#isOver(now - readAt, now < this.#awaitedUntil)) break;
      this.#hearings.delete(publication);
    }
  }

  #isOver(ageMs: number, isAwaited: boolean): boolean {
    if (ageMs >= ID_LIFE_MS) return true;
    const { size } = this.#hearings;
    return size > LAST && (size > MOST || !isAwaited || ageMs >= AWAITED_MS);
  }
}

/** Within the life of an id, and through another room: through the same one it is an answer that is asked for again. */
const isHeard = ({ room, at }: Hearing, known: Hearing, rooms: readonly string[]): boolean =>
  known.room !== room &&
  Math.abs(at - known.at) < ID_LIFE_MS &&
  rooms.some((other) => toldRoom(other) === known.room);
