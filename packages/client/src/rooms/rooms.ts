import type { RoomEvent } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { ask, type Outcome, type Question } from '../ask.ts';
import {
  isMeta,
  isNotice,
  type JoinAnswer,
  type JoinRequest,
  type Position,
  positionOf,
  type Requests,
  ROOMS_PER_REQUEST,
} from '../contract.ts';
import { FanfareError, unavailable } from '../error.ts';
import { type BackoffOptions, backoff, Timer } from '../session/timing.ts';
import type { Cursor } from './cursor.ts';

/** How long a gateway may take to answer a join of 50 rooms with their pasts, in ms. */
const JOIN_TIMEOUT_MS = 10_000;
const LEAVE_TIMEOUT_MS = 10_000;
/** Most requests under way, all of which may be refused: a gateway ends the connection after 200 refusals. */
const MOST_UNDER_WAY = 50;
/** Shortest wait after a refusal for the rate, in ms: so few refusals a second end no connection. */
const MIN_SLOW_MS = 250;
/** Rooms that are to be asked for within this time are asked for together, in ms. */
const BATCH_MS = 500;

const slowMs = ({ retryAfterMs = 0 }: FanfareError): number => Math.max(MIN_SLOW_MS, retryAfterMs);

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
  #underWay = 0;
  /** The gateway has refused for the rate: one request at a time until nothing is left to ask. */
  #isSlow = false;
  #notBefore = 0;
  /** Cursors that ask again later, and when; one timer for all, at the first of these times. */
  readonly #waiting = new Map<Cursor, number>();
  readonly #retryTimer = new Timer();
  #retryAt = Number.POSITIVE_INFINITY;

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
    this.#underWay = 0;
    this.#isSlow = false;
    this.#notBefore = 0;
    this.#waiting.clear();
    this.#retryTimer.clear();
    this.#retryAt = Number.POSITIVE_INFINITY;
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
    // First, as a socket may not be in the rooms of two pages at once when they are very many.
    this.#leaveUnwanted();
    const groups = [...this.#wanted()];
    for (let i = 0; i < groups.length && this.#mayAsk; i += ROOMS_PER_REQUEST)
      this.#join(groups.slice(i, i + ROOMS_PER_REQUEST));
    if (this.#underWay === 0 && this.#mayAsk && this.#waiting.size === 0) this.#isSlow = false;
  }

  /** What has to be asked for. */
  #wanted(): Iterable<Group> {
    const groups = new Map<string, Group>();
    for (const cursors of this.#rooms.values()) {
      const live = [...cursors].find(({ state }) => state === 'joined')?.position;
      for (const cursor of cursors) {
        if (!cursor.needsJoin) continue;
        if (cursor.startsLive && live !== undefined) {
          cursor.startAt(live);
          continue;
        }
        const request = cursor.request();
        const key = JSON.stringify(request);
        const group = groups.get(key) ?? { request, cursors: [] };
        groups.set(key, group);
        group.cursors.push(cursor);
      }
    }
    return groups.values();
  }

  get #mayAsk(): boolean {
    if (performance.now() < this.#notBefore) return false;
    return this.#underWay < (this.#isSlow ? 1 : MOST_UNDER_WAY);
  }

  /** Asks, and goes on with what is left to ask; an answer that an earlier connection was asked for is none. */
  #ask<Name extends 'room:join' | 'room:leave'>(
    question: Question<Name>,
    done: (outcome: Outcome<Requests[Name]['answer']>) => void,
  ): void {
    const connection = this.#connection;
    this.#underWay += 1;
    ask(this.#socket, question, (outcome) => {
      if (connection !== this.#connection) return;
      this.#underWay -= 1;
      if (!outcome.ok && outcome.error.code === 'rate_limited') {
        this.#isSlow = true;
        this.#notBefore = performance.now() + slowMs(outcome.error);
        this.#retryBy(this.#notBefore);
      }
      done(outcome);
      this.#flush();
    });
  }

  #join(groups: readonly Group[]): void {
    const connection = this.#connection;
    const count = (room: string, change: number) =>
      this.#asked.set(room, (this.#asked.get(room) ?? 0) + change);
    for (const { request, cursors } of groups) {
      count(request.room, 1);
      for (const cursor of cursors) cursor.isBusy = true;
    }
    const payload = { rooms: groups.map(({ request }) => request) };
    this.#ask({ name: 'room:join', payload, timeoutMs: JOIN_TIMEOUT_MS }, (outcome) => {
      const answers = outcome.ok && 'rooms' in outcome.data ? outcome.data.rooms : [];
      const failure = outcome.ok ? unavailable('The gateway did not answer for this room') : outcome.error;
      const isUnread = failure.code === 'invalid_payload' && groups.length > 1;
      for (const [i, group] of groups.entries()) {
        count(group.request.room, -1);
        // One of them is at fault, and alone it fails no other.
        if (isUnread) this.#join([group]);
        else this.#answer(group, answers[i], failure);
        // A handler has closed the client: what is left will be asked for by the next connection.
        if (connection !== this.#connection) return this.#loseTrack();
      }
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
    if (error.code === 'rate_limited') this.#retryLater(cursor, slowMs(error));
    else if (error.retryable) this.#retryLater(cursor);
    else cursor.refuse(error);
  }

  #retryLater(cursor: Cursor, ms = backoff(cursor.tries, this.#backoff)): void {
    cursor.isBusy = true;
    cursor.tries += 1;
    const due = performance.now() + ms;
    this.#waiting.set(cursor, due);
    this.#retryBy(due);
  }

  #retryBy(due: number): void {
    if (due >= this.#retryAt) return;
    this.#retryAt = due;
    this.#retryTimer.set(due - performance.now(), () => {
      this.#retryAt = Number.POSITIVE_INFINITY;
      // A timer may be early by a fraction of a millisecond.
      if (performance.now() < this.#notBefore) this.#retryBy(this.#notBefore);
      for (const [cursor, at] of this.#waiting) {
        if (at > due + BATCH_MS) this.#retryBy(at);
        else {
          this.#waiting.delete(cursor);
          cursor.isBusy = false;
        }
      }
      this.#flush();
    });
  }

  /** A leave that overtook a join would be undone by it, so a room with a join under way is left after its answer. */
  #leaveUnwanted(): void {
    for (const [room, requests] of this.#asked) {
      if (requests > 0 || this.#rooms.has(room)) continue;
      if (!this.#mayAsk) return;
      this.#asked.delete(room);
      this.#ask({ name: 'room:leave', payload: { room }, timeoutMs: LEAVE_TIMEOUT_MS }, (outcome) => {
        // Still a member: it is left once the gateway takes it.
        if (!outcome.ok && outcome.error.code === 'rate_limited' && !this.#asked.has(room))
          this.#asked.set(room, 0);
      });
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
