import type { Standing } from '@fanfare/cluster';
import { userRoom } from '@fanfare/protocol';
import { createDispatch } from './edge/dispatch.ts';
import { guardAuth, guardNamespace } from './edge/guard.ts';
import { createEdge, type Edge } from './edge/on.ts';
import type { GatewayEvents } from './events.ts';
import type { Identity } from './identity/identity.ts';
import type { VerifyToken } from './identity/verifier.ts';
import { type Limits, limitUsers } from './limits/limits.ts';
import { registerPresence } from './presence/handlers.ts';
import type { Presence } from './presence/presence.ts';
import { registerRooms } from './rooms/handlers.ts';
import type { Rooms } from './rooms/rooms.ts';
import { type Authorize, verifyFor } from './session/authority.ts';
import { registerSession } from './session/handlers.ts';
import type { OrderTaker } from './session/orders.ts';
import type { Sessions } from './session/sessions.ts';
import { registerSignals } from './signals/handlers.ts';
import { authenticate, expiredRefusal } from './socket/handshake.ts';
import type { GatewayNamespace, GatewayServer, GatewaySocket } from './socket/server.ts';
import { forgetHandshakes, slimSocket } from './socket/slim.ts';
import { registerUsers } from './users/handlers.ts';
import { createTellUser } from './users/tell-user.ts';

/** Everything that happens on a namespace: who gets in, what a socket may ask, what is counted. */
export const openNamespace = (
  namespace: GatewayNamespace,
  deps: {
    identity: Identity;
    events: GatewayEvents;
    limits: Limits;
    rooms: Rooms;
    presence: Presence | undefined;
    sessions: Sessions;
    standing: Standing;
    taker: OrderTaker;
    authorize: Authorize;
    hasTeam: boolean;
    watch: (socket: GatewaySocket) => void;
  },
): Edge => {
  const { identity, events, limits, rooms, presence, sessions, standing, taker, authorize, hasTeam, watch } =
    deps;
  const edge = createEdge(events);
  guardAuth(namespace, events);
  const unrevoked = (verify: VerifyToken) => verifyFor(namespace.name, verify, standing);
  authenticate(namespace, unrevoked(identity.admit), events);
  limitUsers(namespace, { limits, events });
  if (hasTeam) guardNamespace(namespace, events);
  registerRooms({ rooms, edge, authorize, limits, presence });
  registerPresence({ edge, authorize, presence });
  registerSignals({ edge, authorize });
  registerSession({ edge, verify: unrevoked(identity.verify), sessions, standing });
  registerUsers({ edge, tellUser: createTellUser(namespace) });
  const forget = hasTeam ? undefined : forgetHandshakes();
  const dispatch = createDispatch({
    edge,
    events,
    limits,
    guard: hasTeam,
    refusalOf: expiredRefusal,
    onWaiting: watch,
  });
  const factsOf = (socket: GatewaySocket) => ({
    socket: socket.id,
    namespace: namespace.name,
    user: socket.data.user.id,
  });
  function onDisconnect(this: GatewaySocket, reason: string): void {
    sessions.end(this);
    events.disconnected({ ...factsOf(this), reason });
  }
  // One function for all sockets: an idle connection pays for what hangs on it.
  namespace.on('connection', (socket) => {
    events.connected({ ...factsOf(socket), transport: socket.conn.transport.name });
    socket.on('disconnect', onDisconnect);
    dispatch(socket);
    void socket.join(userRoom(socket.data.user.id));
    sessions.begin(socket);
    slimSocket(socket);
    forget?.(socket);
    taker.check(socket);
  });
  return edge;
};

/** Socket.IO always has `/`. Where it is not of the configuration it is refused as any other that is not. */
export const closeMainNamespace = (io: GatewayServer): void => {
  io.of('/').use((_socket, next) => next(new Error('Invalid namespace')));
};
