import { setTimeout as delay } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { RoomTrack } from './room-track.ts';

/** Name of the events that publishers send and members follow. */
export const TOLD = 'chaos:told';
const SIGNALLED = 'chaos:signalled';

const position = z.object({ epoch: z.string(), offset: z.int() });
const meta = position.extend({ room: z.string(), id: z.string() });
const skip = position.extend({ room: z.string() });
const joined = position.extend({
  room: z.string(),
  recovered: z.boolean(),
  more: z.literal(true).optional(),
  events: z.array(z.object({ meta })),
});
const refused = z.object({ room: z.string(), error: z.object({ code: z.string(), retryable: z.boolean() }) });
const answer = z.object({
  ok: z.literal(true),
  data: z.object({ rooms: z.array(z.union([joined, refused])) }),
});
const timed = z.object({ at: z.number() });

/** An answer that has not come by then never comes. */
const JOIN_TIMEOUT_MS = 30_000;

export interface MemberOptions {
  url: string;
  token: string;
  /** At most 50. */
  rooms: readonly string[];
  /** Hears how long a live event took, in ms, when it was sent and by which node it came. */
  onLatency: (ms: number, of: { sentAt: number; node: string }) => void;
}

/** A stock Socket.IO client that keeps its position in each room and comes back with it, as an app does. */
export class Member implements Disposable {
  readonly tracks: ReadonlyMap<string, RoomTrack>;
  readonly #socket: Socket;
  readonly #options: MemberOptions;
  readonly #memberOf = new Set<string>();
  /** When it connected, by the clock of `performance.now()`. */
  readonly connectedAt: number[] = [];
  /** Joins that were not answered at all. */
  hungJoins = 0;
  /** Joins that were told to try again. */
  refusedJoins = 0;
  /** Numbers of the signals that it heard. */
  readonly signals = new Set<number>();
  /** Answers that are not of the contract. */
  readonly oddities: string[] = [];

  constructor(options: MemberOptions) {
    this.#options = options;
    this.tracks = new Map(options.rooms.map((room) => [room, new RoomTrack()]));
    this.#socket = io(options.url, {
      auth: { token: options.token },
      forceNew: true,
      transports: ['websocket'],
      reconnectionDelay: 100,
      reconnectionDelayMax: 1000,
      timeout: 5000,
    });
    this.#socket.on('connect', () => {
      this.connectedAt.push(performance.now());
      this.#join(options.rooms);
    });
    this.#socket.on('disconnect', () => this.#memberOf.clear());
    this.#socket.on(TOLD, (data: unknown, about: unknown) => this.#hear(data, about));
    this.#socket.on(SIGNALLED, (data: unknown) => this.signals.add(z.number().parse(data)));
    this.#socket.on('room:skip', (about: unknown) => this.#skip(about));
    this.#socket.on('room:reset', (about: unknown) => this.#reset(about));
  }

  /** Member of all its rooms on the present connection. */
  get isWhole(): boolean {
    return this.#socket.connected && this.#memberOf.size === this.tracks.size;
  }

  /** Id of the node that holds its session. */
  get node(): string {
    return this.#socket.io.engine?.id?.slice('12345678901234567890_'.length) ?? '';
  }

  /** Tells the other members of a room a number that may be lost. */
  signal(room: string, number: number): void {
    this.#socket.emit('room:signal', { room, event: SIGNALLED, data: number });
  }

  /** Loses its connection without a word and comes back. */
  drop(): void {
    this.#socket.io.engine.close();
  }

  /** Stays away until `comeBack`. */
  goAway(): void {
    this.#socket.disconnect();
  }

  comeBack(): void {
    this.#socket.connect();
  }

  [Symbol.dispose](): void {
    this.#socket.disconnect();
  }

  // A callback, not a promise: live events follow the answer in the same turn and need the position by then.
  #join(rooms: readonly string[]): void {
    const connection = this.#socket.id;
    const wanted = rooms.map((room) => {
      const since = this.tracks.get(room)?.position;
      return since ? { room, since } : { room };
    });
    this.#socket
      .timeout(JOIN_TIMEOUT_MS)
      .emit('room:join', { rooms: wanted }, (error: unknown, raw: unknown) => {
        if (this.#socket.id !== connection || !this.#socket.connected) return;
        if (error) {
          this.hungJoins += 1;
          this.drop();
          return;
        }
        const again = this.#take(raw);
        if (again.more.length > 0) this.#join(again.more);
        if (again.refused.length > 0) {
          this.refusedJoins += again.refused.length;
          void delay(100 + Math.random() * 200).then(() => {
            if (this.#socket.id === connection && this.#socket.connected) this.#join(again.refused);
          });
        }
      });
  }

  #take(raw: unknown): { more: string[]; refused: string[] } {
    const again = { more: [] as string[], refused: [] as string[] };
    const parsed = answer.safeParse(raw);
    if (!parsed.success) this.oddities.push(JSON.stringify(raw).slice(0, 300));
    for (const one of parsed.data?.data.rooms ?? []) {
      if ('error' in one) {
        if (!one.error.retryable) this.oddities.push(one.error.code);
        again.refused.push(one.room);
        continue;
      }
      const track = this.tracks.get(one.room);
      for (const { meta } of one.events) track?.hear(meta, { isMember: true });
      track?.joined(one, one);
      if (one.more) again.more.push(one.room);
      else this.#memberOf.add(one.room);
    }
    return again;
  }

  #hear(data: unknown, about: unknown): void {
    const at = meta.safeParse(about).data;
    const track = at && this.tracks.get(at.room);
    if (at === undefined || track === undefined) {
      this.oddities.push(JSON.stringify(about).slice(0, 300));
      return;
    }
    track.hear(at, { isMember: this.#memberOf.has(at.room) });
    const sent = timed.safeParse(data).data;
    if (sent) this.#options.onLatency(performance.now() - sent.at, { sentAt: sent.at, node: this.node });
  }

  #skip(about: unknown): void {
    const at = skip.parse(about);
    this.tracks.get(at.room)?.hear({ ...at, id: '' }, { isMember: this.#memberOf.has(at.room) });
  }

  #reset(about: unknown): void {
    const at = skip.parse(about);
    this.tracks.get(at.room)?.reset(at);
  }
}
