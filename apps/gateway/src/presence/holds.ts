import { type Holding, isSameInfo, type Member } from '@fanfare/cluster';

interface Held {
  info: unknown;
  sockets: number;
  /** When the user goes, in ms of the process's clock, if no socket comes back until then. */
  goesAt: number;
  isQueued: boolean;
}

interface Going {
  room: string;
  user: string;
  at: number;
}

export interface HoldsOptions {
  namespace: string;
  /** How long a user stays after their last socket has gone, in ms. */
  graceMs: number;
  /** A user is there now, or with other info. */
  came: (room: string, member: Member) => void;
  went: (room: string, user: string) => void;
}

/** Who is in which room through the sockets of this process: users, with as many sockets as they like. */
export class Holds implements Disposable {
  readonly #options: HoldsOptions;
  readonly #rooms = new Map<string, Map<string, Held>>();
  /** In the order in which they go, as the grace is the same for all. */
  #going: Going[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  /** Rooms in which somebody is. */
  get rooms(): number {
    return this.#rooms.size;
  }

  come(room: string, { user, info }: Member): void {
    const users = this.#rooms.get(room) ?? new Map<string, Held>();
    this.#rooms.set(room, users);
    const held = users.get(user);
    if (held !== undefined) {
      held.sockets += 1;
      if (isSameInfo(held, { info })) return;
      held.info = info;
    } else users.set(user, { info, sockets: 1, goesAt: 0, isQueued: false });
    this.#options.came(room, memberOf(user, info));
  }

  go(room: string, user: string): void {
    const held = this.#rooms.get(room)?.get(user);
    if (held === undefined || held.sockets === 0) return;
    held.sockets -= 1;
    if (held.sockets > 0) return;
    held.goesAt = performance.now() + this.#options.graceMs;
    if (held.isQueued) return;
    held.isQueued = true;
    this.#going.push({ room, user, at: held.goesAt });
    this.#wait();
  }

  *all(): Iterable<Holding> {
    for (const [room, users] of this.#rooms) {
      yield { namespace: this.#options.namespace, room, members: membersOf(users) };
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const [next] = this.#going;
    if (this.#timer !== undefined || next === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#endGraces();
      },
      Math.max(0, next.at - performance.now()),
    );
  }

  #endGraces(): void {
    const now = performance.now();
    const still = this.#going.findIndex(({ at }) => at > now);
    const due = still === -1 ? this.#going : this.#going.slice(0, still);
    this.#going = still === -1 ? [] : this.#going.slice(still);
    for (const { room, user } of due) this.#endGrace(room, user, now);
    this.#wait();
  }

  #endGrace(room: string, user: string, now: number): void {
    const users = this.#rooms.get(room);
    const held = users?.get(user);
    if (users === undefined || held === undefined) return;
    // Came back, and went again meanwhile.
    if (held.sockets === 0 && held.goesAt > now) {
      this.#going.push({ room, user, at: held.goesAt });
      return;
    }
    held.isQueued = false;
    if (held.sockets > 0) return;
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#options.went(room, user);
  }
}

const memberOf = (user: string, info: unknown): Member => (info === undefined ? { user } : { user, info });

function* membersOf(users: ReadonlyMap<string, Held>): Iterable<Member> {
  for (const [user, { info }] of users) yield memberOf(user, info);
}
