import type { RoomEvent } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { ask } from '../ask.ts';
import {
  isMeta,
  isNotice,
  type JoinAnswer,
  type JoinRequest,
  type Position,
  positionOf,
  ROOMS_PER_REQUEST,
} from '../contract.ts';
import { FanfareError, unavailable } from '../error.ts';
import { type BackoffOptions, backoff, Timer } from '../session/timing.ts';
import type { Cursor } from './cursor.ts';

/** How long a gateway may take to answer a join of 50 rooms with their pasts, in ms. */
const JOIN_TIMEOUT_MS = 10_000;
const LEAVE_TIMEOUT_MS = 10_000;

/** Cursors that ask the same of the same room: they share one request. */
interface Group {
  request: JoinRequest;
  cursors: Cursor[];
}

/** All cursors of a client, on one socket: joins what they need, in as few requests as can be, and hands out what comes. */
export class Rooms {
  readonly #socket: Socket;
  readonly #backoff: BackoffOptions;
  readonly #rooms = new Map<string, Set<Cursor>>();
  /** Rooms that this connection was asked to join, with the requests under way. */
  readonly #asked = new Map<string, number>();
  /** Answers of an earlier connection are not for this one. */
  #connection = 0;
  #willFlush = false;
  readonly #retries = new Set<Timer>();

  constructor(socket: Socket, options: BackoffOptions) {
    this.#socket = socket;
    this.#backoff = options;
    socket.on('connect', () => this.#connected());
    socket.on('disconnect', () => this.#disconnected());
    socket.onAny((name: string, ...args: unknown[]) => this.#receive(name, args));
  }

  add(cursor: Cursor): void {
    const cursors = this.#rooms.get(cursor.room) ?? new Set();
    this.#rooms.set(cursor.room, cursors.add(cursor));
    this.#flushSoon();
  }

  remove(cursor: Cursor): void {
    cursor.isClosed = true;
    const cursors = this.#rooms.get(cursor.room);
    cursors?.delete(cursor);
    if (cursors?.size === 0) this.#rooms.delete(cursor.room);
    this.#flushSoon();
  }

  /** A new token may allow what the last one did not. */
  retryRefused(): void {
    for (const cursor of this.#all()) {
      if (cursor.state === 'refused' || cursor.state === 'left') cursor.restart();
    }
    this.#flushSoon();
  }

  *#all(): Iterable<Cursor> {
    for (const cursors of this.#rooms.values()) yield* cursors;
  }

  #connected(): void {
    this.#begin();
    for (const cursor of this.#all()) cursor.restart();
    this.#flush();
  }

  #disconnected(): void {
    this.#begin();
    this.#loseTrack();
  }

  #loseTrack(): void {
    for (const cursor of this.#all()) {
      cursor.isBusy = false;
      if (cursor.state === 'joined') cursor.lostTrack();
    }
  }

  #begin(): void {
    this.#connection += 1;
    this.#asked.clear();
    for (const timer of this.#retries) timer.clear();
    this.#retries.clear();
  }

  /** What is joined and left in one go, as by a page that changes, is asked for together and only where it differs. */
  #flushSoon(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    queueMicrotask(() => {
      this.#willFlush = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#socket.connected) return;
    const groups = new Map<string, Group>();
    for (const cursors of this.#rooms.values()) {
      const live = [...cursors].find(({ state }) => state === 'joined')?.position;
      for (const cursor of cursors) {
        if (!cursor.needsJoin) continue;
        if (cursor.startsLive && live !== undefined) {
          cursor.startAt(live);
          continue;
        }
        cursor.isBusy = true;
        const request = cursor.request();
        const key = JSON.stringify(request);
        const group = groups.get(key) ?? { request, cursors: [] };
        groups.set(key, group);
        group.cursors.push(cursor);
      }
    }
    const all = [...groups.values()];
    for (let i = 0; i < all.length; i += ROOMS_PER_REQUEST) this.#join(all.slice(i, i + ROOMS_PER_REQUEST));
    this.#leaveUnwanted();
  }

  #join(groups: readonly Group[]): void {
    const connection = this.#connection;
    const count = (room: string, change: number) =>
      this.#asked.set(room, (this.#asked.get(room) ?? 0) + change);
    for (const { request } of groups) count(request.room, 1);
    const payload = { rooms: groups.map(({ request }) => request) };
    ask(this.#socket, { name: 'room:join', payload, timeoutMs: JOIN_TIMEOUT_MS }, (outcome) => {
      if (connection !== this.#connection) return;
      const answers = outcome.ok && 'rooms' in outcome.data ? outcome.data.rooms : [];
      const failure = outcome.ok ? unavailable('The gateway did not answer for this room') : outcome.error;
      if (failure.code === 'invalid_payload' && groups.length > 1) {
        // One of them is at fault, and alone it fails no other.
        for (const group of groups) {
          count(group.request.room, -1);
          this.#join([group]);
        }
        return undefined;
      }
      for (const [i, group] of groups.entries()) {
        count(group.request.room, -1);
        this.#answer(group, answers[i], failure);
        // A handler has closed the client: what is left will be asked for by the next connection.
        if (connection !== this.#connection) return this.#loseTrack();
      }
      return this.#flush();
    });
  }

  #answer({ request, cursors }: Group, answer: JoinAnswer | undefined, failure: FanfareError): void {
    for (const cursor of cursors) {
      cursor.isBusy = false;
      if (answer === undefined) this.#failed(cursor, failure);
      else if ('error' in answer) this.#failed(cursor, FanfareError.fromWire(answer.error));
      else cursor.answer(request, answer);
    }
  }

  #failed(cursor: Cursor, error: FanfareError): void {
    if (error.retryable) this.#retryLater(cursor, error.retryAfterMs);
    else cursor.refuse(error);
  }

  /** Not before the gateway said that it would help. */
  #retryLater(cursor: Cursor, atLeastMs = 0): void {
    const timer = new Timer();
    this.#retries.add(timer);
    cursor.isBusy = true;
    timer.set(Math.max(atLeastMs, backoff(cursor.tries, this.#backoff)), () => {
      this.#retries.delete(timer);
      cursor.isBusy = false;
      this.#flush();
    });
    cursor.tries += 1;
  }

  /** A leave that overtook a join would be undone by it, so a room with a join under way is left after its answer. */
  #leaveUnwanted(): void {
    for (const [room, requests] of this.#asked) {
      if (requests > 0 || this.#rooms.has(room)) continue;
      this.#asked.delete(room);
      const question = { name: 'room:leave', payload: { room }, timeoutMs: LEAVE_TIMEOUT_MS } as const;
      ask(this.#socket, question, () => undefined);
    }
  }

  #receive(name: string, args: readonly unknown[]): void {
    const [data, meta] = args;
    if (name.startsWith('room:') && isNotice(data)) {
      const { room, epoch, offset } = data;
      if (name === 'room:skip') {
        if (epoch !== undefined && offset !== undefined) this.#take(room, { epoch, offset });
      } else if (name === 'room:joined') this.retryRefused();
      else for (const cursor of this.#rooms.get(room) ?? []) cursor.notice(name, data);
    } else if (name.startsWith('presence:') && isNotice(data)) {
      for (const cursor of this.#rooms.get(data.room) ?? []) cursor.tellPresence(data);
    } else if (isMeta(meta)) {
      const event = { event: name, data, meta };
      this.#take(meta.room, positionOf(event), event);
    }
  }

  #take(room: string, at: Position | undefined, event?: RoomEvent): void {
    for (const cursor of this.#rooms.get(room) ?? []) {
      if (cursor.take(at, event) || cursor.isBusy || cursor.state !== 'joined') continue;
      cursor.lostTrack();
      // The second time in a row that the answer has not helped, it is asked later.
      if (cursor.tries > 0) this.#retryLater(cursor);
      else {
        cursor.tries = 1;
        this.#flushSoon();
      }
    }
  }
}
