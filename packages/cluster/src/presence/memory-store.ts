import {
  isSameInfo,
  type Member,
  type PresenceChange,
  type PresencePage,
  type PresenceStore,
  placeKey,
} from './store.ts';

interface Room {
  version: number;
  members: Map<string, { member: Member; holders: Set<object> }>;
}

/** Presence of one process, or of several stores in it that share their members. */
export class MemoryPresence {
  readonly #rooms = new Map<string, Room>();
  readonly #listeners = new Map<string, Set<(change: PresenceChange) => void>>();

  /** A store with holds of its own; disposing it ends them. */
  open(): PresenceStore {
    const holder = {};
    const listening = new Map<string, (change: PresenceChange) => void>();
    return {
      hold: (place, member) => this.#hold(placeKey(place), member, holder),
      release: (place, user) => this.#release(placeKey(place), user, holder),
      holdFrom: () => undefined,
      read: async (place, page) => this.#read(placeKey(place), page),
      listen: async (place, listener) => {
        const key = placeKey(place);
        listening.set(key, listener);
        const listeners = this.#listeners.get(key) ?? new Set();
        this.#listeners.set(key, listeners.add(listener));
      },
      unlisten: (place) => this.#unlisten(placeKey(place), listening),
      onGap: () => undefined,
      [Symbol.asyncDispose]: async () => {
        for (const key of listening.keys()) this.#unlisten(key, listening);
        for (const [key, { members }] of this.#rooms) {
          for (const user of members.keys()) this.#release(key, user, holder);
        }
      },
    };
  }

  #hold(key: string, member: Member, holder: object): void {
    const room = this.#rooms.get(key) ?? { version: now(), members: new Map() };
    this.#rooms.set(key, room);
    const known = room.members.get(member.user);
    const holders = known?.holders ?? new Set();
    room.members.set(member.user, { member, holders: holders.add(holder) });
    if (known !== undefined && isSameInfo(known.member, member)) return;
    this.#tell(key, room, { joined: [member], left: [] });
  }

  #release(key: string, user: string, holder: object): void {
    const room = this.#rooms.get(key);
    const known = room?.members.get(user);
    if (room === undefined || !known?.holders.delete(holder) || known.holders.size > 0) return;
    room.members.delete(user);
    this.#tell(key, room, { joined: [], left: [user] });
    if (room.members.size === 0) this.#rooms.delete(key);
  }

  #tell(key: string, room: Room, who: Pick<PresenceChange, 'joined' | 'left'>): void {
    room.version += 1;
    for (const listener of this.#listeners.get(key) ?? []) {
      listener({ version: room.version, count: room.members.size, ...who });
    }
  }

  #read(key: string, { after = '', limit }: { after?: string | undefined; limit: number }): PresencePage {
    const { version, members } = this.#rooms.get(key) ?? { version: 0, members: new Map() };
    // Who only counts does not wait for the order of all.
    const users = limit === 0 ? [] : [...members.keys()].filter((user) => user > after).sort();
    const page = users.slice(0, limit);
    const last = page.at(-1);
    return {
      members: page.flatMap((user) => members.get(user)?.member ?? []),
      count: members.size,
      version,
      ...(last !== undefined && users.length > limit && { next: last }),
    };
  }

  #unlisten(key: string, listening: Map<string, (change: PresenceChange) => void>): void {
    const listener = listening.get(key);
    const listeners = this.#listeners.get(key);
    if (listener === undefined || listeners === undefined) return;
    listening.delete(key);
    listeners.delete(listener);
    if (listeners.size === 0) this.#listeners.delete(key);
  }
}

/** In µs, so that a room that begins anew has a greater version than all before. */
const now = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);
