import { randomBytes } from 'node:crypto';
import { AppError, isRoomName, isUserRoom } from '@fanfare/protocol';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import type { Bus } from '../bus/bus.ts';
import type { BusObserver } from '../bus/observer.ts';
import type { EventLog, Position, SyncPage } from '../event-log/event-log.ts';
import { LOG_UID, type LoggedEvent, readLogged } from '../event-log/wire.ts';
import { type JoinRequest, type PreparedJoin, RoomFeed } from '../feed/feed.ts';
import { createGate } from '../feed/gate.ts';
import { toldRoom } from '../inbox.ts';
import { keys, roomToldIn } from '../keys.ts';
import type { ListenerCount } from '../redis/link.ts';
import { type BusTarget, readBroadcast } from './bus-messages.ts';
import { ClusterQueries, type LocalSockets } from './cluster-queries.ts';
import { ephemeralFlags } from './ephemeral.ts';
import { HeardEvents } from './heard-events.ts';
import { guardedEncode } from './msgpack.ts';

export interface RoomAdapterOptions {
  bus: Bus;
  /** Without it no room has a past: everything is ephemeral. */
  log: EventLog | undefined;
  observer: BusObserver;
  /** Name of this node, told in answers to cluster queries. */
  node: string;
  /** Names of the living nodes, asked only when one did not answer a query. */
  livingNodes: () => Promise<readonly string[]>;
  /** How many processes listen on a channel, this one included. */
  countListeners: (channel: string) => Promise<ListenerCount>;
  /** The user behind a socket, whom a publish may except. */
  userOf: (socket: Socket) => string | undefined;
  /** Settles when nothing keeps this node from telling what is logged; rejects when that cannot be known. Default: at once. */
  mayTell?: () => Promise<void>;
  /** How often every room is compared with its log, in ms, whatever the subscriptions say. Default 30 s. */
  positionCheckMs?: number;
  /** Whether emitters may address a socket by its id; costs a subscription per socket. Default true. */
  socketRooms?: boolean;
}

export type AdapterFactory = (nsp: Namespace) => Adapter;

/** A factory for Socket.IO's `adapter` option. */
export const createRoomAdapter = (options: RoomAdapterOptions): AdapterFactory =>
  // Socket.IO calls it with `new`, so it cannot be an arrow function.
  function create(nsp) {
    return new RoomAdapter(nsp, options);
  };

/** Why this node listens to a room: members, or joins under way. */
interface Interest {
  /** Until the subscription stands, and the room's position is known where that can be had. */
  pending: Promise<void> | undefined;
  joins: number;
  feed: RoomFeed | undefined;
}

/** What there is to say of any room without a log: each socket has such a room, and its user. */
const STANDING: Interest = Object.freeze({ pending: undefined, joins: 0, feed: undefined });

const POSITION_CHECK_MS = 30_000;

/** Reads of the log under way at once. */
const READS = 8;

const EVENT_PACKET = 2;
const NOBODY_EXCEPTED: ReadonlySet<string> = new Set();

/**
 * A Socket.IO adapter in the wire format of `@socket.io/redis-adapter` 8.3.0 that listens only to rooms it has members
 * of, never throws on what arrives, and tells the events of a room's log exactly once and in order.
 */
export class RoomAdapter extends Adapter {
  readonly uid: string = randomBytes(6).toString('hex');
  readonly #namespace: Namespace;
  readonly #options: RoomAdapterOptions;
  readonly #interests = new Map<string, Interest>();
  readonly #reads = createGate(READS);
  readonly #heard = new WeakMap<Socket, HeardEvents>();
  readonly #queries: ClusterQueries;
  readonly #positionCheck: NodeJS.Timeout;

  constructor(namespace: Namespace, options: RoomAdapterOptions) {
    super(namespace);
    this.#namespace = namespace;
    this.#options = options;
    const local: LocalSockets = {
      fetch: (opts) => super.fetchSockets(opts),
      join: (opts, rooms) => super.addSockets(opts, rooms),
      leave: (opts, rooms) => super.delSockets(opts, rooms),
      disconnect: (opts, close) => super.disconnectSockets(opts, close),
      broadcastWithAck: (...args) => super.broadcastWithAck(...args),
      rooms: () => [...this.rooms.keys()].filter((room) => roomToldIn(room) === undefined),
    };
    this.#queries = new ClusterQueries({ ...options, namespace, uid: this.uid, local });
    void options.bus.listen(keys.namespaceChannel(namespace.name), this.#receive);
    options.bus.onChange({ interrupted: (stands) => this.#suspend(stands), restored: () => this.#verify() });
    this.#positionCheck = setInterval(() => {
      this.#verify();
      this.#forgetHeard();
    }, options.positionCheckMs ?? POSITION_CHECK_MS);
    this.on('create-room', (room: string) => {
      if (roomToldIn(room) === undefined) this.#enter(room);
    });
    this.on('delete-room', (room: string) => this.#release(room));
  }

  /** Resolves once this node hears what is told to the rooms. */
  override addAll(id: string, rooms: Set<string>): Promise<void> {
    super.addAll(id, rooms);
    const pending = [...rooms].flatMap((room) => this.#interests.get(room)?.pending ?? []);
    return Promise.all(pending).then(() => undefined);
  }

  override broadcast(packet: { nsp?: string; data: unknown[] }, opts: BroadcastOptions): void {
    super.broadcast(packet, opts);
    if (opts.flags?.local) return;
    const target = { rooms: [...opts.rooms], except: [...(opts.except ?? [])], flags: opts.flags };
    const [room, ...others] = target.rooms;
    const { name } = this.#namespace;
    const isOneRoom = room !== undefined && others.length === 0;
    const channel = isOneRoom ? keys.roomChannel(name, room) : keys.namespaceChannel(name);
    this.#options.bus.broadcast(channel, guardedEncode([this.uid, packet, target]));
  }

  /**
   * Tells one room, without the sockets in `except`, and resolves with whether anybody is there to hear it: members on
   * this node, or another node that listens. Rejects with `unavailable` when only other nodes could and Redis is away.
   */
  async tell(room: string, args: readonly unknown[], except: ReadonlySet<string>): Promise<boolean> {
    const nsp = this.#namespace.name;
    const packet = { type: EVENT_PACKET, nsp, data: [...args] };
    if (this.rooms.has(room)) {
      this.broadcast(packet, { rooms: new Set([room]), except: new Set(except), flags: ephemeralFlags() });
      return true;
    }
    const target = { rooms: [room], except: [...except], flags: ephemeralFlags() };
    const message = guardedEncode([this.uid, packet, target]);
    const sent = this.#options.bus.send(keys.roomChannel(nsp, room), message);
    const listeners = await sent.catch((cause: unknown) => {
      throw new AppError('unavailable', undefined, { cause });
    });
    return listeners > 0;
  }

  override broadcastWithAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    if (!opts.flags?.local) this.#queries.askForAcks(packet, opts, { clientCountCallback, ack });
    super.broadcastWithAck(packet, opts, clientCountCallback, ack);
  }

  override serverCount(): Promise<number> {
    return this.#queries.countServers();
  }

  /** Rooms of all nodes that answered. */
  allRooms(): Promise<Set<string>> {
    return this.#queries.allRooms();
  }

  override fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
    return opts.flags?.local ? super.fetchSockets(opts) : this.#queries.fetchSockets(opts);
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    super.addSockets(opts, rooms);
    if (!opts.flags?.local) this.#queries.tellJoin(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    super.delSockets(opts, rooms);
    if (!opts.flags?.local) this.#queries.tellLeave(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    if (!opts.flags?.local) this.#queries.tellDisconnect(opts, close);
    super.disconnectSockets(opts, close);
  }

  override serverSideEmit(packet: unknown[]): void {
    this.#queries.serverSideEmit(packet);
  }

  override close(): void {
    this.#options.bus.unlisten(keys.namespaceChannel(this.#namespace.name));
    this.#queries.close();
    clearInterval(this.#positionCheck);
    for (const room of [...this.#interests.keys()]) this.#drop(room);
  }

  /**
   * Reads what a socket missed in a room. `admit` makes it a member and answers, both in the caller's own step; disposing
   * ends the join whether or not it came to that. Rejects with `unavailable` when the log cannot be read.
   */
  async prepareJoin(room: string, request: JoinRequest): Promise<PreparedJoin | undefined> {
    if (!this.#hasLog(room)) return undefined;
    const interest = this.#enter(room);
    interest.joins += 1;
    const release = () => {
      interest.joins -= 1;
      this.#release(room);
    };
    try {
      await interest.pending;
      if (interest.feed === undefined) return undefined;
      const prepared = await interest.feed.prepareJoin(request);
      return {
        admit: () => prepared.admit(),
        [Symbol.dispose]: () => {
          prepared[Symbol.dispose]();
          release();
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Those of a room's past events that a socket is to hear, noted as heard. */
  forSocket(socket: Socket, events: readonly LoggedEvent[]): readonly LoggedEvent[] {
    if (events.every(isForEveryone)) return events;
    return events.filter((event) => this.#isFor(socket, event, true));
  }

  #hasLog(room: string): boolean {
    return this.#options.log !== undefined && isRoomName(room);
  }

  #enter(room: string): Interest {
    const known = this.#interests.get(room);
    if (known !== undefined) return known;
    if (this.sids.has(room) || isUserRoom(room)) return this.#enterOwn(room);
    const { log } = this.#options;
    const place = { namespace: this.#namespace.name, room };
    const feed =
      log === undefined || !this.#hasLog(room)
        ? undefined
        : new RoomFeed({
            log: { sync: (...query) => this.#reads.run(() => this.#sync(log, query)) },
            place,
            sink: {
              deliver: (event) => this.#tellLogged(room, event),
              reset: (position, reason) => this.#tellReset(room, position, reason),
            },
          });
    const interest: Interest = { pending: undefined, joins: 0, feed };
    this.#interests.set(room, interest);
    interest.pending = this.#listen(room, feed).then(() => {
      interest.pending = undefined;
      if (feed === undefined && this.#interests.get(room) === interest) this.#interests.set(room, STANDING);
    });
    return interest;
  }

  async #sync(log: EventLog, query: Parameters<EventLog['sync']>): Promise<SyncPage> {
    const { mayTell, observer } = this.#options;
    await mayTell?.();
    const page = await log.sync(...query);
    const [{ namespace, room }] = query;
    for (const { isUnreadable } of page.events)
      if (isUnreadable) observer.invalidMessage(keys.roomLog(namespace, room));
    return page;
  }

  /** The rooms that every connection brings, a socket's and its user's: nobody waits for them. */
  #enterOwn(room: string): Interest {
    this.#interests.set(room, STANDING);
    const { bus, socketRooms = true } = this.#options;
    if (socketRooms || !this.sids.has(room))
      bus.listenSoon(keys.roomChannel(this.#namespace.name, room), this.#receive);
    return STANDING;
  }

  /** A position read before the subscription stands, or a member told of before there is one, would miss events. */
  async #listen(room: string, feed: RoomFeed | undefined): Promise<void> {
    const channel = keys.roomChannel(this.#namespace.name, room);
    await this.#options.bus.listen(channel, this.#receive);
    // A log that cannot be read keeps nobody from the ephemeral events of a room.
    await feed?.settled().catch(() => undefined);
  }

  #release(room: string): void {
    const interest = this.#interests.get(room);
    if (interest !== undefined && interest.joins === 0 && !this.rooms.has(room)) this.#drop(room);
  }

  #drop(room: string): void {
    this.#interests.get(room)?.feed?.close();
    this.#interests.delete(room);
    this.#options.bus.unlisten(keys.roomChannel(this.#namespace.name, room));
  }

  #suspend(stands: (channel: string) => boolean): void {
    for (const [room, { feed }] of this.#interests) {
      if (!stands(keys.roomChannel(this.#namespace.name, room))) feed?.suspend();
    }
  }

  #verify(): void {
    for (const { feed } of this.#interests.values()) feed?.verify().catch(() => undefined);
  }

  /** A broadcast from the bus. Throws on anything else, which the bus counts. */
  readonly #receive = (message: Buffer): void => {
    const broadcast = readBroadcast(message);
    const [uid, packet, target] = broadcast;
    if (uid === this.uid || (packet.nsp ?? '/') !== this.#namespace.name) return;
    const logged = uid === LOG_UID ? readLogged(broadcast, message.length) : undefined;
    // The name that members are told may be another one.
    const feed = logged && this.#interests.get(String(target.rooms[0]))?.feed;
    if (logged !== undefined && feed !== undefined) feed.accept(logged);
    else super.broadcast(packet, toOptions(target));
  };

  #tellLogged(room: string, event: LoggedEvent): void {
    const packet = { type: EVENT_PACKET, data: [event.event, event.data, event.meta] };
    const opts = { rooms: new Set([room]), except: new Set(NOBODY_EXCEPTED), flags: {} };
    if (!isForEveryone(event)) {
      const { epoch, offset } = event.meta;
      const others = [...new Set(event.rooms)].flatMap((other) =>
        other !== room && this.#interests.get(other)?.feed?.isBehind ? (this.rooms.get(other) ?? []) : [],
      );
      for (const id of this.rooms.get(room) ?? []) {
        const socket = this.#namespace.sockets.get(id);
        if (socket === undefined) continue;
        const isInOthers = others.some((members) => members.has(id));
        if (this.#isFor(socket, event, isInOthers)) continue;
        opts.except.add(id);
        socket.emit('room:skip', { room: toldRoom(room), epoch, offset });
      }
    }
    super.broadcast(packet, opts);
  }

  #tellReset(room: string, position: Position, reason: string): void {
    this.#options.observer.roomReset(reason);
    const packet = {
      type: EVENT_PACKET,
      data: ['room:reset', { room: toldRoom(room), ...position, reason }],
    };
    super.broadcast(packet, { rooms: new Set([room]), except: new Set(), flags: {} });
  }

  #forgetHeard(): void {
    const now = Date.now();
    for (const socket of this.#namespace.sockets.values()) {
      const heard = this.#heard.get(socket);
      heard?.forget(now);
      if (heard?.size === 0) this.#heard.delete(socket);
    }
  }

  /**
   * Whether a socket is to hear an event: not when its user is excepted, nor when it heard it through another room.
   * `isAwaited`: another room may still bring it.
   */
  #isFor(socket: Socket, event: LoggedEvent, isAwaited: boolean): boolean {
    if (event.isUnreadable) return false;
    if (event.except !== undefined) {
      const user = this.#options.userOf(socket);
      if (user !== undefined && event.except.includes(user)) return false;
    }
    if (event.hearing === undefined) return true;
    const heard = this.#heard.get(socket) ?? new HeardEvents();
    this.#heard.set(socket, heard);
    return heard.hear(event, isAwaited);
  }
}

const isForEveryone = ({ rooms, except, isUnreadable }: LoggedEvent): boolean =>
  rooms === undefined && except === undefined && isUnreadable === undefined;

const toOptions = ({ rooms, except, flags }: BusTarget): BroadcastOptions => ({
  rooms: new Set(rooms.map(String)),
  except: new Set(except?.map(String)),
  flags: {
    ...(flags?.droppable === true && ephemeralFlags(flags.conflate)),
    volatile: flags?.volatile === true,
    compress: flags?.compress !== false,
  },
});
