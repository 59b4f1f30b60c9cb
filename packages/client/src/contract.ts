import type {
  DirectMeta,
  EventDefinition,
  EventMeta,
  RoomEvent,
  roomJoin,
  roomLeave,
  roomPublish,
  roomSignal,
  tokenRefresh,
  userSend,
} from '@fanfare/protocol';

// Types only: the schemas of the protocol would put zod into every page.
interface Definitions {
  'room:join': typeof roomJoin;
  'room:leave': typeof roomLeave;
  'room:publish': typeof roomPublish;
  'room:signal': typeof roomSignal;
  'token:refresh': typeof tokenRefresh;
  'user:send': typeof userSend;
}
type InputOf<Definition> =
  Definition extends EventDefinition<infer Schema, infer _> ? Schema['_zod']['input'] : never;
type OutputOf<Definition> =
  Definition extends EventDefinition<infer _, infer Schema> ? Schema['_zod']['output'] : never;

/** What each event of the contract takes and is answered with. */
export type Requests = {
  [Name in keyof Definitions]: {
    payload: InputOf<Definitions[Name]>;
    answer: OutputOf<Definitions[Name]>;
  };
};

export type JoinRequest = Extract<Requests['room:join']['payload'], { room: string }>;
export type JoinAnswers = Extract<Requests['room:join']['answer'], { rooms: unknown }>;
export type JoinAnswer = JoinAnswers['rooms'][number];

/** Where a client is in a room's log. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Continuity is lost: what came before this position has to be fetched anew. */
export interface RoomReset extends Position {
  room: string;
  /** `retention`: the log no longer reaches back; `lost`: the cluster lost writes; `epoch`: the room began anew. */
  reason: string;
}

/** Most rooms in one `room:join`. */
export const ROOMS_PER_REQUEST = 50;
/** Largest data of a logged event, as JSON. */
export const EVENT_BYTES = 65_536;
/** Most of the last events that a join brings. */
export const MOST_REPLAYED = 500;

const ROOM = /^[a-z][a-z0-9-]*(:[A-Za-z0-9_-]{1,64}){1,3}$/;
/** A name that is not one would fail every other room of the same request. */
export const isRoomName = (name: string): boolean => name.length <= 200 && ROOM.test(name);

/** What a gateway says of a room; the events with a position are those that move or end one. */
export interface RoomNotice {
  room: string;
  epoch?: string;
  offset?: number;
  reason?: string;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

export const isNotice = (value: unknown): value is RoomNotice =>
  isObject(value) && typeof value.room === 'string';

export const isPosition = (value: unknown): value is Position =>
  isObject(value) &&
  typeof value.epoch === 'string' &&
  Number.isSafeInteger(value.offset) &&
  Number(value.offset) >= 0;

export const isMeta = (value: unknown): value is EventMeta =>
  isObject(value) &&
  typeof value.room === 'string' &&
  typeof value.id === 'string' &&
  typeof value.at === 'number';

/** What one user sends to another has no room. */
export const isDirectMeta = (value: unknown): value is DirectMeta =>
  isObject(value) &&
  typeof value.from === 'string' &&
  typeof value.to === 'string' &&
  typeof value.id === 'string' &&
  typeof value.at === 'number';

/** The position of a logged event; a signal has none. */
export const positionOf = ({ meta }: RoomEvent): Position | undefined =>
  meta.epoch === undefined || meta.offset === undefined
    ? undefined
    : { epoch: meta.epoch, offset: meta.offset };

/** `session:closing` and `session:expiring`. */
export interface SessionNotice {
  inMs: number;
  reason: string;
  reconnect: boolean;
}

export const readSessionNotice = (value: unknown): SessionNotice => {
  const given = isObject(value) ? value : {};
  return {
    inMs: typeof given.inMs === 'number' ? given.inMs : 0,
    reason: String(given.reason ?? 'closing'),
    reconnect: given.reconnect !== false,
  };
};
