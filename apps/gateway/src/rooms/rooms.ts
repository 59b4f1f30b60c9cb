import { randomUUID } from 'node:crypto';
import { type EventLog, type JoinRequest, type LoggedEvent, RoomAdapter, toldRoom } from '@fanfare/cluster';
import {
  AppError,
  checkLoggable,
  type EventMeta,
  type PresenceMember,
  type RoomEvent,
} from '@fanfare/protocol';
import type { GatewayNamespace, GatewaySocket } from '../socket/server.ts';

export interface NewRoomEvent {
  room: string;
  event: string;
  data: unknown;
  id?: string | undefined;
  /** The user whose socket sent it. */
  from?: string;
  /** Whose `id` it is. */
  publisher: string;
}

export interface RoomPosition {
  epoch: string;
  offset: number | null;
  duplicate: boolean;
}

/** The present state of a room and what a socket missed of it; `more` means that the socket is not yet a member. */
export interface JoinedRoom {
  room: string;
  epoch: string;
  offset: number;
  recovered: boolean;
  /** A list as JSON. */
  events: string;
  more?: true;
  /** Who is there, for a socket that asked to be told. */
  members?: PresenceMember[];
  count?: number;
  version?: number;
}

/** The rooms of a namespace, with a past where there is a log. */
export interface Rooms {
  /**
   * Reads what is needed for a join; the returned step makes the socket a member and is the answer. `check` throws in that
   * step when the socket may no longer join.
   */
  join(
    socket: GatewaySocket,
    room: string,
    request: JoinRequest & { check: () => void },
  ): Promise<() => JoinedRoom>;
  publish(event: NewRoomEvent): Promise<RoomPosition>;
}

/** Rooms with a log in Redis, or rooms without a past on a machine that has none. */
export function openRooms(namespace: GatewayNamespace, log: EventLog | undefined): Rooms {
  const { adapter } = namespace;
  return log !== undefined && adapter instanceof RoomAdapter
    ? loggedRooms(namespace, adapter, log)
    : ephemeralRooms(namespace);
}

/** As clients are told of them, encoded once for all who come back from the same outage. */
const told = new WeakMap<readonly LoggedEvent[], string>();
const encode = (events: readonly LoggedEvent[]): string => {
  const known = told.get(events);
  if (known !== undefined) return known;
  const text = JSON.stringify(
    events.map(({ event, data, meta }) => ({ event, data, meta }) satisfies RoomEvent),
  );
  told.set(events, text);
  return text;
};

/** Rooms never let go of a socket that joins after its end. */
const checkConnected = (socket: GatewaySocket): void => {
  if (!socket.connected) throw new AppError('unavailable', 'The socket is gone');
};

const loggedRooms = (namespace: GatewayNamespace, adapter: RoomAdapter, log: EventLog): Rooms => ({
  join: async (socket, room, request) => {
    const prepared = await adapter.prepareJoin(room, request);
    if (prepared === undefined) throw new AppError('invalid_payload', `${room} is not a room name`);
    return () => {
      using join = prepared;
      checkConnected(socket);
      request.check();
      const { events, ...position } = join.admit();
      if (position.more === undefined) void socket.join(room);
      const heard = adapter.forSocket(socket, events);
      return { room: toldRoom(room), ...position, events: encode(heard) };
    };
  },
  publish: ({ publisher, id, data = null, ...event }) => {
    checkLoggable(data);
    const newEvent = { ...event, data, namespace: namespace.name, id: id ?? randomUUID() };
    return log.append(newEvent, { publisher, remember: id !== undefined });
  },
});

/** A room that nobody published to: where every room without a past is. */
const START = { epoch: '', offset: 0, recovered: false, events: '[]' };

const ephemeralRooms = (namespace: GatewayNamespace): Rooms => ({
  join:
    async (socket, room, { check, budget, isLarge }) =>
    () => {
      checkConnected(socket);
      check();
      if (isLarge && budget?.isSpent) return { room: toldRoom(room), ...START, more: true };
      void socket.join(room);
      return { room: toldRoom(room), ...START };
    },
  publish: async ({ room, event, data, id = randomUUID(), from }) => {
    const meta: EventMeta = { room, id, at: Date.now(), ...(from !== undefined && { from }) };
    namespace.to(room).emit(event, data, meta);
    return { epoch: '', offset: null, duplicate: false };
  },
});
