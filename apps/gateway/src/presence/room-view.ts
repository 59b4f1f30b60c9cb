import {
  isSameInfo,
  type Member,
  type Place,
  type PresenceChange,
  type PresenceStore,
} from '@fanfare/cluster';
import { LIMITS, type PresenceChanged, type PresenceState } from '@fanfare/protocol';

/** Wait before a room that could not be read is read again, in ms. */
const RETRY_MS = 1000;
/** Time for all nodes to bring back what Redis has lost, in ms: until then nobody is said to have gone. */
const SETTLE_MS = 2000;
/** How old the first page of a large room may be for who joins it, in ms. */
const PAGE_LIFE_MS = 1000;
/** A large room is small again below this part of the limit, so that it does not change at every step. */
const SMALL_AGAIN = 0.8;

export interface RoomViewOptions {
  store: PresenceStore;
  place: Place;
  /** Largest room in which it is told who came and went. */
  listMax: number;
  /** Called when there is something to tell. */
  changed: () => void;
}

/** What a room is like for those who come; nothing while that is not known. */
export type KnownPresence = Partial<Pick<PresenceState, 'members' | 'count' | 'version'>>;

interface Known {
  version: number;
  count: number;
  /** Everybody, unless the room is large. */
  members: Map<string, Member> | undefined;
  /** The first of a large room, as they were when it was read. */
  firstPage: Member[];
  readAt: number;
}

/** What is told to the members of a room: who came and went since the last time, or in a large one how many there are. */
export type Telling =
  | { event: 'presence:changed'; data: PresenceChanged }
  | { event: 'presence:state'; data: PresenceState };

/** A room's presence as this process sees it, while sockets of it want to be told. */
export class RoomView implements Disposable {
  /** Joins under way. */
  joins = 0;
  readonly #options: RoomViewOptions;
  /** What is read before it could hear of changes would miss some. */
  readonly #listening: Promise<void>;
  #known: Known | undefined;
  #reading: Promise<void> | undefined;
  #mustReadAgain = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Redis may not know everybody at the moment. */
  #isSettling = false;
  /** Since the last time that something was told. Who has other info since is in both, as told and as to be told. */
  #joined = new Map<string, Member>();
  #left = new Map<string, Member>();
  #told = { version: 0, count: 0 };
  #mustTellState = false;

  constructor(options: RoomViewOptions) {
    this.#options = options;
    this.#listening = options.store.listen(options.place, (change) => this.#accept(change));
  }

  /** Resolves once the room is known as it is now, or cannot be. */
  async ready(): Promise<void> {
    const known = this.#known;
    if (known === undefined) return this.read();
    if (this.#isSettling) return;
    if (known.members === undefined && performance.now() - known.readAt > PAGE_LIFE_MS) await this.read();
  }

  /**
   * The state for somebody who is told of every change from now on. It is the one that was told last, not the newest: who
   * came and is gone again before the next time is never told of.
   */
  state(): KnownPresence {
    if (this.#known === undefined) {
      this.#mustTellState = true;
      return {};
    }
    const { members, firstPage } = this.#known;
    return {
      members: members === undefined ? firstPage : [...this.#toldOf(members).values()],
      ...this.#told,
    };
  }

  /** Reads the room anew; several wishes at once are one. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Changes may have been missed: what is known stands until Redis has everybody again. */
  settle(): void {
    this.#isSettling = true;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#isSettling = false;
      void this.read();
    }, SETTLE_MS);
  }

  /** What has changed since the last call. */
  take(): Telling | undefined {
    const known = this.#known;
    if (known === undefined) return undefined;
    const { version, count, members } = known;
    const { room } = this.#options.place;
    const joined = [...this.#joined.values()];
    const left = [...this.#left.keys()].filter((user) => !this.#joined.has(user));
    const mustTellState = this.#mustTellState || (members === undefined && count !== this.#told.count);
    this.#joined.clear();
    this.#left.clear();
    this.#mustTellState = false;
    this.#told = { version, count };
    if (mustTellState) {
      const all = members && { members: [...members.values()] };
      return { event: 'presence:state', data: { room, version, count, ...all } };
    }
    if (members === undefined || joined.length + left.length === 0) return undefined;
    return { event: 'presence:changed', data: { room, version, joined, left, count } };
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#options.store.unlisten(this.#options.place);
  }

  async #read(): Promise<void> {
    const { store, place, listMax, changed } = this.#options;
    await this.#listening.catch(() => undefined);
    do {
      this.#mustReadAgain = false;
      const limit = Math.max(listMax, LIMITS.presencePage);
      const page = await store.read(place, { limit }).catch(() => undefined);
      if (this.#isClosed) return;
      if (page === undefined) return this.#readLater();
      const { version, count } = page;
      const isSmall = count <= listMax;
      const before = this.#known;
      this.#known = {
        version,
        count,
        members: isSmall ? new Map(page.members.map((member) => [member.user, member])) : undefined,
        firstPage: isSmall ? [] : page.members.slice(0, LIMITS.presencePage),
        readAt: performance.now(),
      };
      if (before === undefined) this.#told = { version, count };
      else this.#compare(before, this.#known);
    } while (this.#mustReadAgain);
    changed();
  }

  /** What is to be told is the difference between what was told last and what has been read. */
  #compare({ members: before }: Known, { members: now }: Known): void {
    if (before === undefined || now === undefined) {
      this.#mustTellState ||= before !== now;
      return;
    }
    const told = this.#toldOf(before);
    this.#joined = new Map([...now].filter(([user, member]) => !isSame(told.get(user), member)));
    this.#left = new Map([...told].filter(([user, member]) => !isSame(now.get(user), member)));
  }

  #toldOf(members: ReadonlyMap<string, Member>): Map<string, Member> {
    const told = new Map(members);
    for (const user of this.#joined.keys()) told.delete(user);
    for (const [user, member] of this.#left) told.set(user, member);
    return told;
  }

  #readLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.read(), RETRY_MS);
  }

  #accept(change: PresenceChange): void {
    const known = this.#known;
    if (this.#isSettling) return;
    if (this.#reading !== undefined || known === undefined) {
      // What is being read may be older than this.
      this.#mustReadAgain = true;
      return;
    }
    if (change.version <= known.version) return;
    const { listMax } = this.#options;
    const isNext = change.version === known.version + 1;
    const isSmallAgain = known.members === undefined && change.count <= listMax * SMALL_AGAIN;
    if ((!isNext && known.members !== undefined) || isSmallAgain) {
      void this.read();
      return;
    }
    known.version = change.version;
    known.count = change.count;
    if (known.members !== undefined) this.#apply(known, change);
    this.#options.changed();
  }

  #apply(known: Known, { count, joined, left }: PresenceChange): void {
    if (known.members === undefined) return;
    if (joined === undefined || left === undefined || count > this.#options.listMax) {
      known.firstPage = [...known.members.values()].slice(0, LIMITS.presencePage);
      known.members = undefined;
      this.#mustTellState = true;
      return;
    }
    for (const member of joined) {
      const { user } = member;
      const before = known.members.get(user);
      known.members.set(user, member);
      if (before !== undefined && !this.#joined.has(user)) this.#left.set(user, before);
      const isTold = isSame(this.#left.get(user), member);
      if (isTold) this.#left.delete(user);
      if (isTold) this.#joined.delete(user);
      else this.#joined.set(user, member);
    }
    for (const user of left) {
      const member = known.members.get(user) ?? { user };
      known.members.delete(user);
      if (!this.#joined.delete(user)) this.#left.set(user, member);
    }
  }
}

const isSame = (told: Member | undefined, member: Member): boolean =>
  told !== undefined && isSameInfo(told, member);
