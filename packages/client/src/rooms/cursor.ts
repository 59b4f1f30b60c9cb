import type { RoomEvent } from '@fanfare/protocol';
import {
  type JoinAnswer,
  type JoinRequest,
  type Position,
  positionOf,
  type RoomNotice,
  type RoomReset,
} from '../contract.ts';
import { callApp, FanfareError } from '../error.ts';
import { Presence } from './presence.ts';

/** `joining` whenever what the room tells is not being heard, but will be; `refused` and `left` until the next connection or token. */
export type RoomState = 'joining' | 'joined' | 'refused' | 'left';

/** What a cursor tells its owner. */
export interface CursorSink {
  /** The next event, exactly once and in the order of the log. */
  event(event: RoomEvent): void;
  reset(reset: RoomReset): void;
  /** Somebody has come or gone. */
  presence(): void;
  /** Its `state`, `error` or both have changed. */
  changed(): void;
}

/** Where a join that has no position yet starts. */
export interface Start {
  /** So many of the last events first. */
  replay?: number | undefined;
  /** Go on from here. */
  since?: Position | undefined;
  /** Hear who is there. */
  presence?: boolean | undefined;
}

/** One reader of a room: where it is, what it asks for and what it makes of the answers. Knows nothing of connections. */
export class Cursor {
  readonly room: string;
  state: RoomState = 'joining';
  /** Why the room is refused. */
  error: FanfareError | undefined;
  position: Position | undefined;
  /** Closed cursors tell nothing, and stay left whatever is still answered. */
  isClosed = false;
  /** A request is under way, or will be made by itself later. */
  isBusy = false;
  /** Requests in a row that brought no event in sequence. */
  tries = 0;
  /** Who is there, for who asked. */
  readonly presence: Presence | undefined;
  readonly #replay: number | undefined;
  readonly #sink: CursorSink;

  constructor(room: string, { replay, since, presence }: Start, sink: CursorSink) {
    this.room = room;
    this.presence = presence ? new Presence() : undefined;
    this.position = since;
    this.#replay = since === undefined ? replay : undefined;
    this.#sink = sink;
  }

  /** Whether it waits for nothing in particular, so that it may start where another cursor of the room is. */
  get startsLive(): boolean {
    return this.position === undefined && this.#replay === undefined && this.presence === undefined;
  }

  get needsJoin(): boolean {
    return this.state === 'joining' && !this.isBusy && !this.isClosed;
  }

  request(): JoinRequest {
    const { position } = this;
    const room = { room: this.room, ...(this.presence && { presence: true }) };
    // An app may give an answer or a meta for a position: a gateway takes no other field.
    if (position !== undefined) return { ...room, since: { epoch: position.epoch, offset: position.offset } };
    return this.#replay === undefined ? room : { ...room, replay: this.#replay };
  }

  /** Starts at a position without having missed anything that it was to hear. */
  startAt(position: Position): void {
    this.position = { ...position };
    this.#setState('joined');
  }

  /** The connection is gone, or a new one may be allowed what the last one was not. */
  restart(): void {
    this.isBusy = false;
    this.tries = 0;
    this.#setState('joining');
  }

  refuse(error: FanfareError): void {
    this.error = error;
    this.#setState('refused', true);
  }

  /** What the gateway answered to `request`. */
  answer(request: JoinRequest, answer: JoinAnswer): void {
    if ('error' in answer) throw new TypeError('A refusal is not an answer to read from');
    const { epoch, offset, recovered, reason, events, more } = answer;
    const { since } = request;
    if (since !== undefined && !recovered) {
      this.#resetTo({ room: this.room, epoch, offset, reason: reason ?? reasonOf(since, answer) });
    } else {
      for (const event of events) this.#deliver(event);
      const own = this.position;
      if (own?.epoch !== epoch || own.offset < offset) this.position = { epoch, offset };
    }
    if (more !== undefined) return;
    this.#setState('joined');
    this.tellPresence(answer);
  }

  /**
   * What came live at a position, or at none for a signal; without an event only the position moves. False: something
   * before it is missing.
   */
  take(at: Position | undefined, event?: RoomEvent): boolean {
    const own = this.position;
    if (own === undefined) return true;
    if (at !== undefined) {
      const isFirst = own.epoch === '' && at.offset === 1;
      if (at.epoch !== own.epoch && !isFirst) return false;
      if (at.offset <= own.offset) return true;
      if (at.offset > own.offset + 1) return false;
      this.tries = 0;
      this.position = at;
    }
    if (event !== undefined) this.#tell(event);
    return true;
  }

  /** What the gateway tells on its own: `room:reset` and `room:left`. */
  notice(name: string, { room, epoch = '', offset = 0, reason = '' }: RoomNotice): void {
    if (name === 'room:reset') {
      // A cursor that is joining will be told by the answer.
      if (this.state === 'joined') this.#resetTo({ room, epoch, offset, reason });
    } else if (name === 'room:left') {
      // Who is removed may not come back either.
      const code = reason === 'token_expired' ? reason : 'forbidden';
      this.error = new FanfareError(code, reason === '' ? 'The gateway ended the membership' : reason);
      this.#setState('left', true);
    }
  }

  /** What the gateway tells of who is there. */
  tellPresence(told: object): void {
    if (this.presence?.take(told)) this.#call(() => this.#sink.presence());
  }

  lostTrack(): void {
    this.#setState('joining');
  }

  #deliver(event: RoomEvent): void {
    const at = positionOf(event);
    const own = this.position;
    if (at !== undefined && own !== undefined && at.epoch === own.epoch && at.offset <= own.offset) return;
    if (at !== undefined) this.position = at;
    this.#tell(event);
  }

  #resetTo(reset: RoomReset): void {
    this.position = { epoch: reset.epoch, offset: reset.offset };
    this.#call(() => this.#sink.reset(reset));
  }

  #tell(event: RoomEvent): void {
    this.#call(() => this.#sink.event(event));
  }

  #call(tell: () => void): void {
    if (!this.isClosed) callApp(tell);
  }

  #setState(state: RoomState, always = false): void {
    if (this.isClosed || (this.state === state && !always)) return;
    this.state = state;
    if (state === 'joined' || state === 'joining') this.error = undefined;
    this.#call(() => this.#sink.changed());
  }
}

/** What a gateway of release 0.1 does not say. */
const reasonOf = (since: Position, now: Position): string => {
  if (now.epoch !== since.epoch) return 'epoch';
  return now.offset < since.offset ? 'lost' : 'retention';
};
