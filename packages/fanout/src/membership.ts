import type { AdapterSeam, BroadcastFilter, Member } from './seams.ts';

type Visit = (socket: Member) => void;

interface Walk {
  readonly except: ReadonlySet<string>;
  readonly visited: Set<string> | null;
  readonly visit: Visit;
}

const NO_ONE: ReadonlySet<string> = new Set();

/** Walks the sockets of a room as an array; the array is made again after somebody has left. */
export class Membership {
  readonly #adapter: AdapterSeam;
  readonly #sockets: ReadonlyMap<string, Member>;
  readonly #onMember: (client: object) => void;
  readonly #rooms = new Map<string, Member[]>();
  #everybody: Member[] | null = null;
  #version = 0;

  constructor(adapter: AdapterSeam, onMember: (client: object) => void) {
    this.#adapter = adapter;
    this.#sockets = adapter.nsp.sockets;
    this.#onMember = onMember;
    adapter.on('join-room', (room, id) => this.#joined(room, id));
    adapter.on('leave-room', (room) => this.#left(room));
    const { delAll } = adapter;
    // A socket that has left its rooms one by one goes without an event.
    adapter.delAll = (id) => {
      this.#changed();
      return delAll.call(adapter, id);
    };
  }

  /** Visits the same sockets in the same order as `Adapter.apply` of socket.io-adapter 2.5.8. */
  apply(filter: BroadcastFilter, visit: Visit): void {
    const except = this.#idsOf(filter.except);
    if (filter.rooms.size === 0) {
      const { sids } = this.#adapter;
      this.#walk(this.#everybodyOf(sids), sids.keys(), { except, visited: null, visit });
      return;
    }
    const visited = filter.rooms.size > 1 ? new Set<string>() : null;
    for (const room of filter.rooms) {
      const ids = this.#adapter.rooms.get(room);
      if (ids !== undefined) this.#walk(this.#membersOf(room, ids), ids, { except, visited, visit });
    }
  }

  #walk(members: Member[] | null, ids: Iterable<string>, walk: Walk): void {
    if (members === null) {
      this.#walkIds(ids, { ...walk, visited: walk.visited ?? new Set() });
      return;
    }
    const { except, visited, visit } = walk;
    const version = this.#version;
    for (let index = 0; index < members.length; index++) {
      const socket = members[index];
      if (socket === undefined) continue;
      if (except.size > 0 && except.has(socket.id)) continue;
      if (visited !== null) {
        if (visited.has(socket.id)) continue;
        visited.add(socket.id);
      }
      visit(socket);
      // A listener of the application has moved sockets: go on as the walk over the live set does.
      if (this.#version !== version) {
        const seen = visited ?? new Set(members.slice(0, index + 1).map((member) => member.id));
        this.#walkIds(ids, { except, visited: seen, visit });
        return;
      }
    }
  }

  #walkIds(ids: Iterable<string>, { except, visited, visit }: Walk): void {
    for (const id of ids) {
      if (visited?.has(id) || except.has(id)) continue;
      const socket = this.#sockets.get(id);
      if (socket === undefined) continue;
      this.#onMember(socket.client);
      visit(socket);
      visited?.add(id);
    }
  }

  #membersOf(room: string, ids: ReadonlySet<string>): Member[] | null {
    const known = this.#rooms.get(room);
    if (known !== undefined && known.length === ids.size) return known;
    // Every socket has a room of its own: an array for each would cost more than it saves.
    const members = ids.size > 1 ? this.#resolve(ids) : null;
    if (members === null) this.#rooms.delete(room);
    else this.#rooms.set(room, members);
    return members;
  }

  #everybodyOf(sids: ReadonlyMap<string, unknown>): Member[] | null {
    if (this.#everybody?.length !== sids.size) this.#everybody = this.#resolve(sids.keys());
    return this.#everybody;
  }

  /** Returns null while somebody of them has joined rooms but is not connected yet. */
  #resolve(ids: Iterable<string>): Member[] | null {
    const members: Member[] = [];
    for (const id of ids) {
      const socket = this.#sockets.get(id);
      if (socket === undefined) return null;
      this.#onMember(socket.client);
      members.push(socket);
    }
    return members;
  }

  #joined(room: string, id: string): void {
    this.#changed();
    const members = this.#rooms.get(room);
    if (members === undefined) return;
    const socket = this.#sockets.get(id);
    if (socket === undefined) {
      this.#rooms.delete(room);
    } else {
      this.#onMember(socket.client);
      members.push(socket);
    }
  }

  #left(room: string): void {
    this.#changed();
    this.#rooms.delete(room);
  }

  #changed(): void {
    this.#version++;
    this.#everybody = null;
  }

  #idsOf(rooms: ReadonlySet<string> | undefined): ReadonlySet<string> {
    if (rooms === undefined || rooms.size === 0) return NO_ONE;
    const ids = new Set<string>();
    for (const room of rooms) for (const id of this.#adapter.rooms.get(room) ?? NO_ONE) ids.add(id);
    return ids;
  }
}

/**
 * Whether the adapter's own walk visits what Membership visits, tried out on a stand-in with four sockets in
 * three rooms: a subclass that filters, or a later socket.io-adapter that changes the rules, keeps its walk.
 */
export function walksLike(adapter: AdapterSeam): boolean {
  const ids = ['a', 'b', 'c', 'd'];
  const standIn: AdapterSeam = Object.assign(Object.create(adapter), {
    rooms: new Map([
      ['x', new Set(['b', 'a', 'gone'])],
      ['y', new Set(['a', 'c', 'b'])],
      ['z', new Set(['b'])],
    ]),
    sids: new Map(['gone', ...ids].map((id) => [id, new Set()])),
    nsp: { sockets: new Map(ids.map((id) => [id, { id, client: {} }])) },
  });
  const membership = new Membership(Object.assign(standIn, { on: () => standIn }), () => {});
  const idsOf = (walk: AdapterSeam['apply'], filter: BroadcastFilter) => {
    const visited: string[] = [];
    walk.call(standIn, filter, (socket) => visited.push(socket.id));
    return visited.join();
  };
  const rooms = [[], ['x'], ['x', 'y'], ['none', 'y']].map((names) => new Set(names));
  const excepts = [new Set<string>(), new Set(['z']), new Set(['x', 'none'])];
  try {
    return rooms.every((room) =>
      excepts.every((except) => {
        const filter = { rooms: room, except };
        return idsOf(adapter.apply, filter) === idsOf((f, visit) => membership.apply(f, visit), filter);
      }),
    );
  } catch {
    return false;
  }
}
