import type { DirectMeta, EventMeta, RoomEvent } from '@fanfare/protocol';
import { isPosition, isRoomName, MOST_REPLAYED, type Position, type RoomReset } from '../contract.ts';
import { FanfareError } from '../error.ts';
import { Cursor, type RoomState } from './cursor.ts';
import type { PresenceView } from './presence.ts';
import type { Rooms } from './rooms.ts';

/**
 * Where an app says once what its events are, for every client and hook:
 * `declare module '@fanfare/client' { interface Register { events: { 'task:created': Task } } }`
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is for apps to add to.
export interface Register {}

/** Name → data of the app's events; of any name, with data of any kind, when it says nothing. */
export type AppEvents = Register extends { events: infer Events extends object }
  ? Events
  : Record<string, unknown>;

/** Any of an app's events, told apart by `event`. */
export type EventOf<Events, Meta = EventMeta> = {
  [Name in keyof Events & string]: { event: Name; data: Events[Name]; meta: Meta };
}[keyof Events & string];

type Handlers<Events, Meta> =
  | { [Name in keyof Events & string]?: (data: Events[Name], meta: Meta) => void }
  | ((event: EventOf<Events, Meta>) => void);

/** By event name, or one function for all of them. */
export type RoomHandlers<Events> = Handlers<Events, EventMeta>;
/** The same for what users send to each other. */
export type DirectHandlers<Events> = Handlers<Events, DirectMeta>;

export interface JoinOptions {
  /** So many of the last events first, at most 500; 0 is none. Not together with `since`. */
  replay?: number | undefined;
  /** Go on from here, as from the position of a snapshot that the app's backend sent. */
  since?: Position | undefined;
  /** Events were missed and cannot be had: fetch anew; what comes next follows `offset`. */
  onReset?: ((reset: RoomReset) => void) | undefined;
  /** Hear who is in the room; asks for the action `presence`. */
  presence?: boolean | undefined;
  /** Called with everybody who is there whenever that changes. */
  onPresence?: ((presence: PresenceView) => void) | undefined;
  /** Called whenever the state of the subscription is another; the error says why it is `refused` or `left`. */
  onState?: ((state: RoomState, error: FanfareError | undefined) => void) | undefined;
}

/** One subscription to a room. The membership is shared: the last one to leave ends it. */
export interface RoomHandle {
  readonly room: string;
  readonly state: RoomState;
  /** Why the state is `refused` or `left`. */
  readonly error: FanfareError | undefined;
  /** The last event heard, or where the room was when it was joined; undefined before that. */
  readonly position: Position | undefined;
  /** Who is there, when `presence` was asked for. It stands as it was while there is no connection. */
  readonly presence: PresenceView | undefined;
  /** Resolves once joined, with everything delivered that was asked for; rejects when refused. */
  joined(): Promise<Position>;
  /** Nothing is delivered any more. */
  leave(): void;
}

/** What a gateway would refuse fails here: in a request it would take the other rooms with it. */
const check = (room: string, { replay = 0, since }: JoinOptions): void => {
  const refuse = (what: string) => new FanfareError('invalid_payload', what);
  if (!isRoomName(room)) throw refuse(`"${room}" is not a room name`);
  if (!Number.isInteger(replay) || replay < 0 || replay > MOST_REPLAYED)
    throw refuse(`"replay" is a whole number up to ${MOST_REPLAYED}, not ${replay}`);
  if (since !== undefined && !isPosition(since)) throw refuse('"since" is {epoch, offset}');
};

/** Subscribes to a room; throws for what no gateway would take. */
export const joinRoom = (
  rooms: Rooms,
  room: string,
  options: JoinOptions & { onEvent: (event: RoomEvent) => void },
): RoomHandle => {
  check(room, options);
  const { onEvent, replay, since, presence, onReset, onPresence, onState } = options;
  const waiting = new Set<() => void>();
  const cursor = new Cursor(
    room,
    { replay: replay || undefined, since, presence },
    {
      event: onEvent,
      reset: (reset) => onReset?.(reset),
      presence: () => {
        if (cursor.presence !== undefined) onPresence?.(cursor.presence.view);
      },
      changed: () => {
        for (const look of waiting) look();
        onState?.(cursor.state, cursor.error);
      },
    },
  );
  rooms.add(cursor);
  return {
    room,
    get state() {
      return cursor.state;
    },
    get error() {
      return cursor.error;
    },
    get position() {
      return cursor.position && { ...cursor.position };
    },
    get presence() {
      return cursor.presence?.view;
    },
    joined: () =>
      new Promise((resolve, reject) => {
        const look = () => {
          const { state, position, error } = cursor;
          if (state === 'joining') return;
          waiting.delete(look);
          if (state === 'joined' && position !== undefined) resolve({ ...position });
          else reject(error ?? new FanfareError('closed', 'The room was left'));
        };
        waiting.add(look);
        look();
      }),
    leave: () => {
      rooms.remove(cursor);
      cursor.state = 'left';
      for (const look of waiting) look();
    },
  };
};

/** What the wire brings has the types that the app gives it: only its backends know what they publish. */
const isListener = <Meta>(handlers: object): handlers is (event: Heard<Meta>) => void =>
  typeof handlers === 'function';

interface Heard<Meta> {
  event: string;
  data: unknown;
  meta: Meta;
}

/** One listener for the handlers of a subscription. */
export const listenerOf = <Meta>(handlers: object): ((event: Heard<Meta>) => void) => {
  if (isListener<Meta>(handlers)) return handlers;
  return ({ event, data, meta }) => {
    const handler: unknown = Object.hasOwn(handlers, event) ? Reflect.get(handlers, event) : undefined;
    if (typeof handler === 'function') handler(data, meta);
  };
};
