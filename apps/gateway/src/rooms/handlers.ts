import { JoinBudget } from '@fanfare/cluster';
import {
  AppError,
  isInbox,
  type PresenceMember,
  roomJoin,
  roomLeave,
  roomPublish,
  type WireError,
} from '@fanfare/protocol';
import type { z } from 'zod';
import type { Edge } from '../edge/on.ts';
import { publisherOf } from '../edge/sender.ts';
import { ownRoom } from '../identity/permission.ts';
import type { Limits } from '../limits/limits.ts';
import type { Authorize } from '../session/authority.ts';
import { Json } from '../socket/encoder.ts';
import { expiredRefusal } from '../socket/handshake.ts';
import type { GatewaySocket } from '../socket/server.ts';
import type { JoinedRoom, Rooms } from './rooms.ts';

interface RefusedRoom {
  room: string;
  error: WireError;
}

interface RoomRequest {
  room: string;
  since?: { epoch: string; offset: number } | undefined;
  replay?: number | undefined;
  presence?: boolean | undefined;
}

/** Who tells sockets of a room's presence. */
interface Watchers {
  watch(socket: GatewaySocket, room: string): Promise<Watching>;
}

interface Watching extends Disposable {
  start(): Pick<JoinedRoom, 'members' | 'count' | 'version'>;
}

type JoinStep = () => JoinedRoom;
type JoinPayload = z.output<typeof roomJoin.payload>;

/** `room:join`, `room:leave` and `room:publish`. */
export function registerRooms(deps: {
  rooms: Rooms;
  edge: Edge;
  authorize: Authorize;
  limits: Limits;
  presence: Watchers | undefined;
}): void {
  const { rooms, edge, authorize, limits, presence } = deps;
  const join = async (
    socket: GatewaySocket,
    request: RoomRequest,
    budget?: JoinBudget,
  ): Promise<JoinStep> => {
    const { since, replay } = request;
    const room = ownRoom(socket, request.room);
    const isWatching = request.presence === true && !isInbox(room);
    // Who is a member was let in by the token, or by a backend's word.
    const check = () => {
      if (isWatching) authorize(socket, { room, action: 'presence' });
      if (socket.rooms.has(room)) return;
      authorize(socket, { room, action: 'join' });
      limits.room(socket);
    };
    check();
    // The token may end or be replaced while the log is read.
    const checkAgain = () => {
      const refusal = expiredRefusal(socket, roomJoin.name);
      if (refusal !== undefined) throw refusal;
      check();
    };
    const watching = isWatching ? await presence?.watch(socket, room) : undefined;
    const past = { since, replay: since === undefined ? replay : undefined };
    const joining = rooms.join(socket, room, { ...past, budget, isLarge: isWatching, check: checkAgain });
    return watching === undefined ? joining : joinWatching(joining, watching, budget);
  };
  const answerJoin = async (socket: GatewaySocket, request: JoinPayload): Promise<() => Json> => {
    if (!('rooms' in request)) {
      const step = await join(socket, request);
      return () => new Json(encodeJoined(step()));
    }
    const budget = new JoinBudget();
    const steps = await Promise.all(
      request.rooms.map((one) =>
        join(socket, one, budget).then(
          (step) => orRefusal(one.room, step),
          (error: unknown) => () => refuse(one.room, error),
        ),
      ),
    );
    return () => new Json(encodeAll(steps.map((step) => step())));
  };
  edge.on(roomJoin, answerJoin, { waits: true, changes: 'joins' });
  const leave = async (socket: GatewaySocket, { room }: { room: string }) => {
    await socket.leave(ownRoom(socket, room));
    return {};
  };
  edge.on(roomLeave, leave, { changes: 'leaves' });
  edge.on(roomPublish, (socket, { room, event, data, id }) => {
    authorize(socket, { room, action: 'publish', event });
    return rooms.publish({
      room,
      event,
      data,
      id,
      from: socket.data.user.id,
      publisher: publisherOf(socket),
    });
  });
}

/** A socket that is to be told of the presence, from the moment in which it is a member. */
const joinWatching = async (
  joining: Promise<JoinStep>,
  watching: Watching,
  budget: JoinBudget | undefined,
): Promise<JoinStep> => {
  const step = await joining.catch((error: unknown) => {
    watching[Symbol.dispose]();
    throw error;
  });
  return () => {
    using own = watching;
    const joined = step();
    if (joined.more) return joined;
    const presence = own.start();
    budget?.spend(sizeOf(presence.members ?? []));
    return { ...joined, ...presence };
  };
};

/** About the bytes of members in an answer. */
const sizeOf = (members: readonly PresenceMember[]): number =>
  members.reduce((sum, member) => sum + JSON.stringify(member).length, 0);

const refuse = (room: string, thrown: unknown): RefusedRoom => ({
  room,
  error: AppError.from(thrown).toWire(),
});

/** One room that cannot be joined after all does not take the others with it. */
const orRefusal = (room: string, step: () => JoinedRoom) => (): JoinedRoom | RefusedRoom => {
  try {
    return step();
  } catch (error) {
    return refuse(room, error);
  }
};

const encodeJoined = ({ events, ...joined }: JoinedRoom): string =>
  `${JSON.stringify(joined).slice(0, -1)},"events":${events}}`;

/** By concatenation, which copies nothing until the whole is written. */
const encodeAll = (answers: readonly (JoinedRoom | RefusedRoom)[]): string => {
  let rooms = '';
  for (const answer of answers) {
    const text = 'error' in answer ? JSON.stringify(answer) : encodeJoined(answer);
    rooms += rooms === '' ? text : `,${text}`;
  }
  return `{"rooms":[${rooms}]}`;
};
