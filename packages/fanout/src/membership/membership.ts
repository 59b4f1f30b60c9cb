import type { Outbox } from '../connection/outbox.ts';
import type { Broadcast } from '../frames/broadcast.ts';
import { type AdapterSeam, type BroadcastFilter, isStockVisit, type Member } from '../seams.ts';
import { OutgoingListeners } from './outgoing-listeners.ts';

type Visit = (socket: Member) => void;
type Attach = (client: object) => Outbox | null;

interface Walk {
  readonly except: ReadonlySet<string>;
  readonly visited: Set<string> | null;
  readonly visit: Visit;
  /** What the visit would do to a socket that nobody listens to, if that is known. */
  readonly broadcast: Broadcast | null;
}

interface Members {
  readonly sockets: Member[];
  readonly outboxes: (Outbox | null)[];
}

const NO_ONE: ReadonlySet<string> = new Set();

/** Walks the sockets of a room as an array; the array is made again after somebody has left. */
export class Membership {
  readonly #adapter: AdapterSeam;
  readonly #attach: Attach;
  readonly #listeners = new OutgoingListeners();
  readonly #rooms = new Map<string, Members>();
  #everybody: Members | null = null;
  #version = 0;
  #announced: Broadcast | null = null;
  #stockVisit = '';

  constructor(adapter: AdapterSeam, attach: Attach) {
    this.#adapter = adapter;
    this.#attach = attach;
    adapter.on('join-room', (room, id) => this.#joined(room, id));
    adapter.on('leave-room', (room) => this.#left(room));
    const { delAll } = adapter;
    // A socket that has left its rooms one by one goes without an event.
    adapter.delAll = (id) => {
      this.#changed();
      this.#listeners.forget(id);
      return delAll.call(adapter, id);
    };
  }

  /** The adapter has encoded a packet: its next walk is that of the broadcast, should it be the stock one. */
  announce(broadcast: Broadcast | null): void {
    this.#announced = broadcast;
  }

  /** Visits the same sockets in the same order as `Adapter.apply` of socket.io-adapter 2.5.8. */
  apply(filter: BroadcastFilter, visit: Visit): void {
    const broadcast = this.#takeAnnounced(visit);
    const except = this.#idsOf(filter.except);
    if (filter.rooms.size === 0) {
      const { sids } = this.#adapter;
      this.#walk(this.#everybodyOf(sids), sids.keys(), { except, visited: null, visit, broadcast });
      return;
    }
    const visited = filter.rooms.size > 1 ? new Set<string>() : null;
    for (const room of filter.rooms) {
      const ids = this.#adapter.rooms.get(room);
      if (ids === undefined) continue;
      this.#walk(this.#membersOf(room, ids), ids, { except, visited, visit, broadcast });
    }
  }

  #takeAnnounced(visit: Visit): Broadcast | null {
    const announced = this.#announced;
    this.#announced = null;
    if (announced === null) return null;
    const source = String(visit);
    if (source !== this.#stockVisit) {
      if (!isStockVisit(source)) return null;
      this.#stockVisit = source;
    }
    return announced;
  }

  #walk(members: Members | null, ids: Iterable<string>, walk: Walk): void {
    if (members === null) {
      this.#walkIds(ids, { ...walk, visited: walk.visited ?? new Set() });
      return;
    }
    const { except, visited, visit } = walk;
    const broadcast = this.#listeners.areNone ? walk.broadcast : null;
    const { sockets, outboxes } = members;
    const only = except.size === 1 ? this.#onlyOf(except) : null;
    const version = this.#version;
    for (let index = 0; index < sockets.length; index++) {
      const socket = sockets[index];
      // The array of sockets is enough to go by: looking at each of them costs a cache miss or two.
      if (socket === undefined || socket === only) continue;
      if (except.size > 1 && except.has(socket.id)) continue;
      if (visited !== null) {
        if (visited.has(socket.id)) continue;
        visited.add(socket.id);
      }
      if (broadcast !== null && outboxes[index]?.append(broadcast)) continue;
      visit(socket);
      // The application was called and has moved sockets or listens now: go on as the walk over the live set does.
      if (this.#version !== version || (broadcast !== null && !this.#listeners.areNone)) {
        const seen = visited ?? new Set(sockets.slice(0, index + 1).map(({ id }) => id));
        this.#walkIds(ids, { ...walk, visited: seen });
        return;
      }
    }
  }

  #walkIds(ids: Iterable<string>, { except, visited, visit }: Walk): void {
    for (const id of ids) {
      if (visited?.has(id) || except.has(id)) continue;
      const socket = this.#adapter.nsp.sockets.get(id);
      if (socket === undefined) continue;
      this.#attach(socket.client);
      visit(socket);
      visited?.add(id);
    }
  }

  #membersOf(room: string, ids: ReadonlySet<string>): Members | null {
    const known = this.#rooms.get(room);
    if (known?.sockets.length === ids.size) return known;
    // Every socket has a room of its own: arrays for each would cost more than they save.
    const members = ids.size > 1 ? this.#resolve(ids) : null;
    if (members === null) this.#rooms.delete(room);
    else this.#rooms.set(room, members);
    return members;
  }

  #everybodyOf(sids: ReadonlyMap<string, unknown>): Members | null {
    if (this.#everybody?.sockets.length !== sids.size) this.#everybody = this.#resolve(sids.keys());
    return this.#everybody;
  }

  /** Returns null while somebody of them has joined rooms but is not connected yet. */
  #resolve(ids: Iterable<string>): Members | null {
    const members: Members = { sockets: [], outboxes: [] };
    for (const id of ids) {
      const socket = this.#adapter.nsp.sockets.get(id);
      if (socket === undefined) return null;
      this.#include(members, socket);
    }
    return members;
  }

  #include({ sockets, outboxes }: Members, socket: Member): void {
    this.#listeners.watch(socket);
    sockets.push(socket);
    outboxes.push(this.#attach(socket.client));
  }

  #onlyOf(except: ReadonlySet<string>): Member | null {
    for (const id of except) return this.#adapter.nsp.sockets.get(id) ?? null;
    return null;
  }

  #joined(room: string, id: string): void {
    this.#changed();
    const members = this.#rooms.get(room);
    if (members === undefined) return;
    const socket = this.#adapter.nsp.sockets.get(id);
    if (socket === undefined) this.#rooms.delete(room);
    else this.#include(members, socket);
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
    nsp: { sockets: new Map(ids.map((id) => [id, { id, client: {}, listenersAnyOutgoing: () => [] }])) },
  });
  const membership = new Membership(Object.assign(standIn, { on: () => standIn }), () => null);
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
        return (
          idsOf(adapter.apply, filter) === idsOf((other, visit) => membership.apply(other, visit), filter)
        );
      }),
    );
  } catch {
    return false;
  }
}
