import { AppError } from '@fanfare/protocol';
import { z } from 'zod';
import type { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { loadScript, type RedisCommands } from '../redis/script.ts';
import { addToIndex, BEAT_MS, type Beat, beat, LEASE_MS, takeApart } from './leases.ts';
import {
  type Holding,
  type Member,
  type Place,
  type PresenceChange,
  type PresencePage,
  type PresenceStore,
  placeKey,
  presenceChange,
} from './store.ts';

/** Life of keys that nobody touches, and how often a process touches its own, in ms. */
const KEY_LIFE_MS = 86_400_000;
const REFRESH_MS = KEY_LIFE_MS / 3;
/** How long a room remembers that a lease has ended, so that a write which comes late is refused, in ms. */
const ENDED_MS = 60_000;
/** Users in one script: it may not keep others waiting. */
const USERS_PER_SCRIPT = 500;
/** Rooms in one call, and scripts under way at once. */
const ROOMS_AT_ONCE = 1000;
/** How long changes are gathered before they are written, in ms. */
const GATHER_MS = 10;

const change = loadScript(new URL('change.lua', import.meta.url));
const read = loadScript(new URL('read.lua', import.meta.url));

const text = z.instanceof(Buffer).transform(String);
const pageReply = z.tuple([text.transform(Number), z.int(), z.array(text)]);

/** Changes that are not written yet. */
type Pending = Map<string, RoomChanges>;

/** The member who comes, or null for one who goes. What is only repeated is not news: another process may know better. */
type UserChange = { member: Member; isRepeated: boolean } | null;

interface Lease {
  name: string;
  isOpen: boolean;
  renewedAt: number;
  /** Rooms in its index: a write that was under way when the lease was replaced goes on with its own. */
  indexed: Set<string>;
}

interface RoomChanges {
  place: Place;
  users: Map<string, UserChange>;
}

export interface PresenceObserver {
  /** Another process went without a word; this one has taken its members off. */
  leaseEnded(): void;
  /** Everything that this process holds is written anew. */
  leaseReplaced(): void;
}

export interface RedisPresenceOptions {
  link: RedisLink;
  bus: Bus;
  /** Who holds: a later incarnation of the same node and worker ends what an earlier one held. */
  process: { node: string; worker: string; incarnation: string };
  /** Largest room in which it is told who came and went. */
  listMax: number;
  /** How long the members of a process that stops are kept for the nodes that they go to, in ms. */
  graceMs: number;
  observe: PresenceObserver;
}

const placeOf = (key: string): Place => {
  const at = key.indexOf(' ');
  return { namespace: key.slice(0, at), room: key.slice(at + 1) };
};

/** Presence in Redis; `docs/adr/0013` says how it heals. */
export class RedisPresence implements PresenceStore {
  readonly #options: RedisPresenceOptions;
  readonly #sources = new Set<() => Iterable<Holding>>();
  readonly #gapListeners = new Set<() => void>();
  readonly #timers: NodeJS.Timeout[];
  #pending: Pending = new Map();
  #lease: Lease;
  /** A lease of ours that the present one replaces, once that holds everything. */
  #formerLease: string | undefined;
  #leases = 0;
  #gathering: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RedisPresenceOptions) {
    this.#options = options;
    this.#lease = this.#newLease();
    options.bus.onChange({ interrupted: () => undefined, restored: () => this.#restored() });
    const beats = setInterval(() => void this.#run(() => this.#renew()), BEAT_MS);
    const refresh = setInterval(() => {
      // The index lives no longer than what it leads to.
      this.#lease.indexed.clear();
      this.#holdAll();
    }, REFRESH_MS);
    this.#timers = [beats, refresh];
    void this.#run(() => this.#renew());
  }

  hold(place: Place, member: Member): void {
    this.#change(place, member.user, { member, isRepeated: false });
  }

  release(place: Place, user: string): void {
    this.#change(place, user, null);
  }

  holdFrom(source: () => Iterable<Holding>): void {
    this.#sources.add(source);
  }

  read(place: Place, page: { after?: string | undefined; limit: number }): Promise<PresencePage> {
    return readPresence(this.#options.link.pub, place, page);
  }

  listen({ namespace, room }: Place, listener: (change: PresenceChange) => void): Promise<void> {
    const channel = keys.presenceChannel(namespace, room);
    return this.#options.bus.listen(channel, (message) =>
      listener(presenceChange.parse(JSON.parse(message.toString()))),
    );
  }

  unlisten({ namespace, room }: Place): void {
    this.#options.bus.unlisten(keys.presenceChannel(namespace, room));
  }

  onGap(listener: () => void): void {
    this.#gapListeners.add(listener);
  }

  /** Leaves what this process holds to the others, who take it apart when the grace is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    for (const timer of this.#timers) clearInterval(timer);
    this.#sources.clear();
    await this.#work;
    const { name, isOpen } = this.#lease;
    const { link, graceMs } = this.#options;
    if (!isOpen) return;
    const lifeMs = Math.min(Math.max(graceMs, 1), LEASE_MS);
    await beat(link.pub, { lease: name, lifeMs }).catch(() => undefined);
  }

  get #ownName(): string {
    const { node, worker, incarnation } = this.#options.process;
    return `${node}/${worker}/${incarnation}.`;
  }

  #newLease(): Lease {
    this.#leases += 1;
    return {
      name: `${this.#ownName}${this.#leases}`,
      isOpen: false,
      renewedAt: Number.NEGATIVE_INFINITY,
      indexed: new Set(),
    };
  }

  #change(place: Place, user: string, change: UserChange): void {
    const key = placeKey(place);
    const known = this.#pending.get(key) ?? { place, users: new Map() };
    this.#pending.set(key, known);
    setChange(known.users, user, change);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#gathering !== undefined || this.#isClosed) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      void this.#run(() => this.#flush());
    }, GATHER_MS);
  }

  /** Redis may have lost writes, or have kept what we took back: a new lease holds what is true and replaces the old one. */
  #restored(): void {
    if (this.#lease.isOpen) this.#replaceLease();
    void this.#run(() => this.#renew());
    for (const tell of this.#gapListeners) tell();
  }

  #replaceLease(): void {
    this.#options.observe.leaseReplaced();
    this.#formerLease ??= this.#lease.name;
    this.#lease = this.#newLease();
    // Who has come is news still, and who goes is held by the former lease.
    this.#holdAll();
  }

  #holdAll(): void {
    for (const source of this.#sources) {
      for (const { namespace, room, members } of source()) {
        const place = { namespace, room };
        for (const member of members) this.#change(place, member.user, { member, isRepeated: true });
      }
    }
  }

  /** One piece of work after the other: two never write the same room at once. What Redis does not take is tried again. */
  #run(work: () => Promise<void>): Promise<void> {
    if (this.#work !== undefined) return this.#work;
    this.#work = work().then(
      () => {
        this.#work = undefined;
        if (this.#pending.size > 0) this.#flushSoon();
      },
      () => {
        this.#work = undefined;
      },
    );
    return this.#work;
  }

  async #renew(): Promise<void> {
    const { node, worker } = this.#options.process;
    const lease = this.#lease;
    const replaces = this.#leases === 1 ? `${node}/${worker}/` : undefined;
    const isOurs = await this.#beat({ lease: lease.name, ...(!lease.isOpen && { opens: { replaces } }) });
    // It holds the members until the present one does.
    if (this.#formerLease !== undefined) await this.#beat({ lease: this.#formerLease });
    if (lease !== this.#lease) return this.#renew();
    if (!isOurs) {
      this.#replaceLease();
      return this.#renew();
    }
    Object.assign(lease, { isOpen: true, renewedAt: performance.now() });
    return this.#flush();
  }

  async #flush(): Promise<void> {
    // A process that was frozen does not know whether its lease has ended.
    const isFresh = performance.now() - this.#lease.renewedAt < LEASE_MS - BEAT_MS;
    if (!this.#lease.isOpen || !isFresh) return this.#renew();
    while (this.#pending.size > 0) {
      const batch = [...this.#pending.entries()].slice(0, ROOMS_AT_ONCE);
      for (const [key] of batch) this.#pending.delete(key);
      const lease = this.#lease;
      const isOurs = await this.#write(batch, lease).catch((error: unknown) => {
        this.#putBack(batch);
        throw error;
      });
      if (!isOurs) this.#putBack(batch);
      if (lease === this.#lease && !isOurs) this.#replaceLease();
      if (lease !== this.#lease) return this.#renew();
    }
    const former = this.#formerLease;
    if (former === undefined) return;
    await this.#beat({ lease: this.#lease.name, ends: former });
    this.#formerLease = undefined;
  }

  /** Takes apart what has ended; whether the lease is still ours. */
  async #beat(what: Beat): Promise<boolean> {
    const { isOurs, ended } = await beat(this.#options.link.pub, what);
    for (const name of ended) {
      if (!name.startsWith(this.#ownName)) this.#options.observe.leaseEnded();
      void this.#takeApart(name);
    }
    return isOurs;
  }

  #putBack(batch: readonly [string, RoomChanges][]): void {
    for (const [key, { place, users }] of batch) {
      const later = this.#pending.get(key)?.users ?? new Map();
      for (const [user, change] of later) setChange(users, user, change);
      this.#pending.set(key, { place, users });
    }
  }

  /** The index first: a room that is in it for nothing costs nothing, one that is not would keep its ghosts. */
  async #write(batch: readonly [string, RoomChanges][], { name, indexed }: Lease): Promise<boolean> {
    const redis = this.#options.link.pub;
    const rooms = batch.map(([key]) => key).filter((key) => !indexed.has(key));
    if (rooms.length > 0) {
      if (!(await addToIndex(redis, name, { rooms, lifeMs: KEY_LIFE_MS }))) return false;
      for (const room of rooms) indexed.add(room);
    }
    const empty: string[] = [];
    const isOurs = await Promise.all(
      batch.map(async ([key, { place, users }]) => {
        const holds = await this.#writeRoom(place, users, name);
        if (holds === 0) empty.push(key);
        return holds >= 0;
      }),
    );
    if (empty.length > 0) {
      for (const key of empty) indexed.delete(key);
      await redis.srem(keys.presenceRooms(name), ...empty);
    }
    return isOurs.every(Boolean);
  }

  /** Resolves with how many users the lease holds in the room now, -1 when it has ended. */
  async #writeRoom(place: Place, users: Map<string, UserChange>, lease: string): Promise<number> {
    const all = [...users];
    let holds = 0;
    for (let i = 0; i < all.length && holds >= 0; i += USERS_PER_SCRIPT) {
      const some = all.slice(i, i + USERS_PER_SCRIPT);
      const come = some.flatMap(([user, change]) => (change === null ? [] : [user, infoText(change)]));
      const go = some.flatMap(([user, change]) => (change === null ? [user] : []));
      holds = await this.#runChange(place, lease, ['0', come.length / 2, ...come, ...go]);
      // The former lease holds them too, for as long as the new one cannot be written everywhere.
      const former = go.length > 0 ? this.#formerLease : undefined;
      if (former !== undefined) await this.#runChange(place, former, ['0', 0, ...go]);
    }
    return holds;
  }

  async #runChange(place: Place, lease: string, args: readonly (string | number)[]): Promise<number> {
    const { namespace, room } = place;
    const { link, listMax } = this.#options;
    const changeKeys = [
      keys.presentMembers(namespace, room),
      keys.presentOrder(namespace, room),
      keys.presentLease(place, lease),
    ];
    const command = link.isSharded ? 'SPUBLISH' : 'PUBLISH';
    return Number(await change.run(link.pub, changeKeys, [command, KEY_LIFE_MS, listMax, ...args]));
  }

  /** What goes wrong is tried again by whoever is told of the lease next. */
  async #takeApart(lease: string): Promise<void> {
    await takeApart(this.#options.link.pub, lease, async (key) => {
      const place = placeOf(key);
      let holds = 1;
      while (holds > 0) holds = await this.#runChange(place, lease, [ENDED_MS, USERS_PER_SCRIPT]);
    }).catch(() => undefined);
  }
}

/** Reads a page of a room's members. Rejects with `unavailable` when Redis does not answer. */
export async function readPresence(
  redis: RedisCommands,
  { namespace, room }: Place,
  { after = '', limit }: { after?: string | undefined; limit: number },
): Promise<PresencePage> {
  const readKeys = [keys.presentMembers(namespace, room), keys.presentOrder(namespace, room)];
  const reply = await read.run(redis, readKeys, [after, limit + 1]).catch((cause: unknown) => {
    throw new AppError('unavailable', undefined, { cause });
  });
  const [version, count, rows] = pageReply.parse(reply);
  const members: Member[] = [];
  for (let i = 0; i < rows.length && members.length < limit; i += 2) {
    members.push(memberOf(rows[i] ?? '', rows[i + 1] ?? ''));
  }
  const last = members.at(-1)?.user;
  return { members, count, version, ...(last !== undefined && rows.length > limit * 2 && { next: last }) };
}

/** What is said again does not take the place of news. */
const setChange = (users: Map<string, UserChange>, user: string, change: UserChange): void => {
  const isKnown = change?.isRepeated === true && users.get(user)?.isRepeated === false;
  if (!isKnown) users.set(user, change);
};

const infoText = ({ member: { info }, isRepeated }: NonNullable<UserChange>): string =>
  (isRepeated ? '=' : '') + (info === undefined ? '' : JSON.stringify(info));

const memberOf = (user: string, info: string): Member =>
  info === '' ? { user } : { user, info: JSON.parse(info) };
