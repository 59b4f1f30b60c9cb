import { setTimeout as delay } from 'node:timers/promises';
import {
  type FollowedOrders,
  type GivenOrder,
  givenOrder,
  ORDER_REQUEST,
  type Order,
  type Standing,
} from '@fanfare/cluster';
import { AppError, userRoom } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import type { Rooms } from '../rooms/rooms.ts';
import { expiredRefusal } from '../socket/handshake.ts';
import type { GatewayNamespace, GatewayServer, GatewaySocket } from '../socket/server.ts';
import { type Closing, endSession, leaveRoom } from './closing.ts';

/** Shortest time between two looks at all sockets, in ms: revocations of tokens may come in great numbers. */
const LOOK_MS = 100;
/** How often joining on behalf is tried while the log cannot be read, and the wait between, in ms. */
const JOIN_TRIES = 5;
const JOIN_RETRY_MS = 300;

/** Asks the other workers of a machine without Redis for the orders that are in force. */
const HELD_REQUEST = 'fanfare:orders-held';

type OrderOfUser = Extract<Order, { user: string }>;

const REVOKED: Closing = { reason: 'token_revoked', reconnect: false };

export interface OrderTaker extends Disposable {
  /** Carries out orders that `standing` knows of already. */
  carryOut(given: readonly GivenOrder[]): void;
  /** Ends the session of a socket that has just come in, should its token have been revoked on the way. */
  check(socket: GatewaySocket): void;
}

/** Carries out what backends order about users, for the sockets of this process. */
export function createOrderTaker(deps: {
  namespaces: readonly { namespace: GatewayNamespace; rooms: Rooms }[];
  standing: Standing;
  events: GatewayEvents;
}): OrderTaker {
  const { namespaces, standing, events } = deps;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: NodeJS.Timeout | undefined;

  const close = (socket: GatewaySocket, closing: Closing): void => {
    events.sessionClosed(socket.id, closing.reason);
    endSession(socket, closing);
  };
  const check = (socket: GatewaySocket): void => {
    if (standing.isRevoked(socket.data.claims, socket.nsp.name)) close(socket, REVOKED);
  };
  const look = (): void => {
    looking = undefined;
    lookedAt = performance.now();
    for (const { namespace } of namespaces) for (const socket of namespace.sockets.values()) check(socket);
  };
  const lookSoon = (): void => {
    const waitMs = lookedAt + LOOK_MS - performance.now();
    if (waitMs <= 0) look();
    else looking ??= setTimeout(look, waitMs);
  };
  const obey = ({ order }: GivenOrder): void => {
    events.ordered(order.kind);
    if (order.kind === 'revoke-token' || order.kind === 'revoke-session') {
      lookSoon();
      return;
    }
    for (const { namespace, rooms } of namespaces) {
      if (order.namespace !== undefined && order.namespace !== namespace.name) continue;
      for (const socket of socketsOf(namespace, order.user)) obeyFor(socket, rooms, order);
    }
  };
  const obeyFor = (socket: GatewaySocket, rooms: Rooms, order: OrderOfUser): void => {
    if (order.kind === 'revoke-user') check(socket);
    else if (order.kind === 'disconnect') {
      close(socket, { reason: 'disconnected', reconnect: order.reconnect });
    } else if (order.kind === 'add') {
      void add(socket, rooms, order.room);
    } else if (
      socket.rooms.has(order.room) &&
      standing.isRemoved(socket.data.claims, placeOf(socket, order))
    ) {
      leaveRoom(socket, order.room, 'removed');
    }
  };
  const add = async (socket: GatewaySocket, rooms: Rooms, room: string): Promise<void> => {
    const check = () => {
      const isRemoved = standing.isRemoved(socket.data.claims, placeOf(socket, { room }));
      const refusal = isRemoved ? new AppError('forbidden') : expiredRefusal(socket, 'room:joined');
      if (refusal !== undefined) throw refusal;
    };
    for (let tries = 1; !socket.rooms.has(room) && socket.connected; tries += 1) {
      try {
        const { epoch, offset } = (await rooms.join(socket, room, { check }))();
        socket.emit('room:joined', { room, epoch, offset });
      } catch (thrown) {
        const error = AppError.from(thrown);
        if (error.code === 'unavailable' && socket.connected && tries < JOIN_TRIES) {
          await delay(JOIN_RETRY_MS);
          continue;
        }
        events.failed(error, { socket: socket.id, event: 'room:joined', namespace: socket.nsp.name });
        return;
      }
    }
  };
  return {
    carryOut: (given) => {
      for (const one of given) obey(one);
    },
    check,
    [Symbol.dispose]: () => clearTimeout(looking),
  };
}

/** Has orders carried out that come over Redis, or from the api among the workers of a machine that has none. */
export const takeOrders = (deps: {
  io: GatewayServer;
  followed: FollowedOrders | undefined;
  standing: Standing;
  taker: OrderTaker;
  isWorker: boolean;
}): void => {
  const { io, followed, standing, taker, isWorker } = deps;
  followed?.follow(taker.carryOut);
  if (followed !== undefined) return;
  io.on(ORDER_REQUEST, (message: unknown, answer?: () => void) => {
    const given = givenOrder.safeParse(message).data;
    if (given === undefined) return;
    if (!standing.knows(given)) {
      standing.sweep();
      standing.apply(given);
      taker.carryOut([given]);
    }
    answer?.();
  });
  if (!isWorker) return;
  // Without Redis the memory of the workers is all there is: one that takes the place of another asks the rest.
  io.on(HELD_REQUEST, () => {
    for (const given of standing.orders) io.serverSideEmit(ORDER_REQUEST, given);
  });
  io.serverSideEmit(HELD_REQUEST);
};

const placeOf = (socket: GatewaySocket, { room }: { room: string }) => ({ namespace: socket.nsp.name, room });

/** The sockets of a user on this process; a copy, as they may leave. */
const socketsOf = (namespace: GatewayNamespace, user: string): GatewaySocket[] =>
  [...(namespace.adapter.rooms.get(userRoom(user)) ?? [])].flatMap((id) => namespace.sockets.get(id) ?? []);
