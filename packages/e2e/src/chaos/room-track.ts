/** Where somebody stands in a room's log. */
export interface Position {
  epoch: string;
  offset: number;
}

/** What went wrong, in events; all zero where the guarantees hold. */
export interface Faults {
  /** Accepted, and never heard nor told of. */
  lost: number;
  /** Heard twice. */
  doubled: number;
  /** Heard after a later one. */
  outOfOrder: number;
  /** Heard with another id than the publisher of that offset was told, or with one that nobody was told. */
  wrong: number;
  /** Heard of a room that the client was not yet, or no longer, a member of. */
  early: number;
  /** Heard in another epoch without a word of it. */
  strange: number;
}

export const noFaults = (): Faults => ({
  lost: 0,
  doubled: 0,
  outOfOrder: 0,
  wrong: 0,
  early: 0,
  strange: 0,
});

export const addFaults = (into: Faults, other: Faults): void => {
  for (const kind of ['lost', 'doubled', 'outOfOrder', 'wrong', 'early', 'strange'] as const) {
    into[kind] += other[kind];
  }
};

/** What publishers were told of one room: the id at each offset. */
export type RoomTruth = ReadonlyMap<string, ReadonlyMap<number, string>>;

/** Follows what one client hears of one room, from the position that its first join was answered with. */
export class RoomTrack {
  readonly #heard = new Map<string, Map<number, string>>();
  readonly #missing = new Set<number>();
  readonly #faults = noFaults();
  #position: Position | undefined;
  /** Offsets of the present epoch up to here were before the first join, or told of as lost. */
  #toldTo = 0;
  resets = 0;
  received = 0;

  /** What the client would give as `since`; undefined before the first join. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** An event, or a `room:skip` in its place. `isMember`: the room has been joined on this connection. */
  hear(at: Position & { id: string }, { isMember }: { isMember: boolean }): void {
    const position = this.#position;
    if (!isMember || position === undefined) this.#faults.early += 1;
    if (position === undefined) return;
    this.received += 1;
    const isFirst = position.epoch === '' && at.offset === 1;
    if (at.epoch !== position.epoch && !isFirst) {
      this.#faults.strange += 1;
      return;
    }
    this.#remember(at);
    if (at.offset > position.offset) {
      for (let offset = position.offset + 1; offset < at.offset; offset++) this.#missing.add(offset);
      this.#position = { epoch: at.epoch, offset: at.offset };
    } else if (this.#missing.delete(at.offset)) this.#faults.outOfOrder += 1;
    else this.#faults.doubled += 1;
  }

  /** A join was answered, after its events; `recovered` as the gateway says, or false for a first join. */
  joined(at: Position, { recovered }: { recovered: boolean }): void {
    const known = this.#position;
    if (known === undefined) this.#moveTo(at);
    else if (recovered) this.#skipTo(at);
    else if (known.epoch !== at.epoch || known.offset !== at.offset) this.reset(at);
  }

  /** `room:reset`, or a join that said that continuity is lost. */
  reset(at: Position): void {
    this.resets += 1;
    this.#missing.clear();
    this.#moveTo(at);
  }

  /** Whether everything up to the end has been heard or told of. */
  hasReached(end: Position | undefined): boolean {
    const position = this.#position;
    if (position === undefined) return false;
    if (end === undefined) return true;
    return position.epoch === end.epoch && position.offset >= end.offset && this.#missing.size === 0;
  }

  /** What went wrong, given what publishers were told, and which events Redis lost afterwards. */
  faults(truth: RoomTruth, lostByRedis: ReadonlySet<string> = new Set()): Faults {
    const found = { ...this.#faults };
    for (const [epoch, heard] of this.#heard) {
      const told = truth.get(epoch);
      for (const [offset, id] of heard) {
        if (id !== '' && told?.get(offset) !== id && !lostByRedis.has(id)) found.wrong += 1;
      }
    }
    const { epoch, offset: last } = this.#position ?? { epoch: '', offset: 0 };
    for (const offset of truth.get(epoch)?.keys() ?? []) {
      if (offset > this.#toldTo && (offset > last || this.#missing.has(offset))) found.lost += 1;
    }
    return found;
  }

  #moveTo({ epoch, offset }: Position): void {
    this.#position = { epoch, offset };
    this.#toldTo = offset;
  }

  /** The gateway says that nothing is missing: what was not heard is then lost. */
  #skipTo(at: Position): void {
    const from = this.#position?.offset ?? 0;
    for (let offset = from + 1; offset <= at.offset; offset++) this.#missing.add(offset);
    this.#position = { epoch: at.epoch, offset: Math.max(from, at.offset) };
  }

  #remember({ epoch, offset, id }: Position & { id: string }): void {
    const heard = this.#heard.get(epoch) ?? new Map<number, string>();
    this.#heard.set(epoch, heard);
    heard.set(offset, id);
  }
}
