import { type Holding, type Member, type PresenceStore, presenceRoom, roomToldIn } from '@fanfare/cluster';
import { isInbox, isRoomName, LIMITS, type PresencePage } from '@fanfare/protocol';
import { isAnonymous } from '../identity/claims.ts';
import type { GatewayNamespace, GatewayServer, GatewaySocket } from '../socket/server.ts';
import { Holds } from './holds.ts';
import { type KnownPresence, RoomView } from './room-view.ts';

/** How long changes of a room are gathered before they are told, in ms. */
const WINDOW_MS = 500;

export interface PresenceSettings {
  /** How long a user stays a member after their last socket has gone, in ms. */
  graceMs: number;
  /** Largest room in which it is told who came and went. */
  listMax: number;
}

/** A socket that is about to be told of a room's presence; disposed whether or not it came to that. */
export interface Watching extends Disposable {
  /** From now on the socket is told; the state from which that goes on. */
  start(): KnownPresence;
}

/** Who is in the rooms of a namespace. */
export interface Presence extends Disposable {
  /** Rooms in which users of this process are. */
  readonly rooms: number;
  watch(socket: GatewaySocket, room: string): Promise<Watching>;
  list(room: string, cursor: string | undefined): Promise<PresencePage>;
  /** What this process holds. */
  holdings(): Iterable<Holding>;
}

/** An inbox has one reader, and rooms that are not of the contract are a team's own affair. */
const hasPresence = (room: string): boolean => isRoomName(room) && !isInbox(room);

const memberOf = ({ data }: GatewaySocket): Member | undefined => {
  const { sub, info } = data.claims;
  return isAnonymous(sub) ? undefined : { user: sub, info };
};

/**
 * Presence of a namespace. It follows the rooms of the adapter, so every way in and out counts: joins, kicks, expiry,
 * disconnects, and what a team's own code does.
 */
function openPresence(
  namespace: GatewayNamespace,
  store: PresenceStore,
  options: PresenceSettings & { told: () => void },
): Presence {
  const { name, adapter } = namespace;
  const holds = new Holds({
    namespace: name,
    graceMs: options.graceMs,
    came: (room, member) => store.hold({ namespace: name, room }, member),
    went: (room, user) => store.release({ namespace: name, room }, user),
  });
  const views = new Map<string, RoomView>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const tell = () => {
    timer = undefined;
    for (const room of changed) {
      const telling = views.get(room)?.take();
      if (telling === undefined) continue;
      options.told();
      namespace.local.to(presenceRoom(room)).emit(telling.event, telling.data);
    }
    changed.clear();
  };
  const tellSoon = (room: string) => {
    changed.add(room);
    timer ??= setTimeout(tell, WINDOW_MS);
  };
  const open = (room: string): RoomView => {
    const known = views.get(room);
    if (known !== undefined) return known;
    const place = { namespace: name, room };
    const view = new RoomView({ store, place, listMax: options.listMax, changed: () => tellSoon(room) });
    views.set(room, view);
    return view;
  };
  const release = (room: string) => {
    const view = views.get(room);
    if (view === undefined || view.joins > 0 || adapter.rooms.has(presenceRoom(room))) return;
    views.delete(room);
    view[Symbol.dispose]();
  };
  const come = (room: string, socket: GatewaySocket) => {
    const member = hasPresence(room) ? memberOf(socket) : undefined;
    if (member !== undefined) holds.come(room, member);
  };

  adapter.on('join-room', (room: string, id: string) => {
    const socket = namespace.sockets.get(id);
    if (socket !== undefined) come(room, socket);
  });
  adapter.on('leave-room', (room: string, id: string) => {
    if (!hasPresence(room)) return;
    const socket = namespace.sockets.get(id);
    const member = socket && memberOf(socket);
    if (member !== undefined) holds.go(room, member.user);
    if (views.has(room)) adapter.del(id, presenceRoom(room));
  });
  adapter.on('delete-room', (room: string) => {
    const told = roomToldIn(room);
    if (told !== undefined) release(told);
  });
  // What a team's middleware has joined came before the namespace knew the socket.
  namespace.on('connection', (socket) => {
    for (const room of socket.rooms) come(room, socket);
  });
  store.holdFrom(() => holds.all());
  store.onGap(() => {
    for (const view of views.values()) view.settle();
  });

  return {
    get rooms() {
      return holds.rooms;
    },
    watch: async (socket, room) => {
      const view = open(room);
      view.joins += 1;
      await view.ready();
      let isDone = false;
      return {
        start: () => {
          void adapter.addAll(socket.id, new Set([presenceRoom(room)]));
          return view.state();
        },
        [Symbol.dispose]: () => {
          if (isDone) return;
          isDone = true;
          view.joins -= 1;
          release(room);
        },
      };
    },
    list: (room, cursor) =>
      store.read({ namespace: name, room }, { after: cursor, limit: LIMITS.presencePage }),
    holdings: () => holds.all(),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      holds[Symbol.dispose]();
      for (const view of views.values()) view[Symbol.dispose]();
      views.clear();
    },
  };
}

/** The presence of all namespaces of a process. */
export interface Presences extends Disposable {
  /** Undefined where the cluster keeps none. */
  of(namespace: string): Presence | undefined;
}

export function openPresences(
  io: GatewayServer,
  store: PresenceStore,
  options: {
    namespaces: readonly string[];
    presence: PresenceSettings | undefined;
    events: { told: () => void; roomsFrom: (count: () => number) => void };
  },
): Presences {
  const { presence: settings, events } = options;
  const stack = new DisposableStack();
  const presences = new Map<string, Presence>();
  for (const name of options.namespaces) {
    if (settings === undefined) continue;
    presences.set(name, stack.use(openPresence(io.of(name), store, { ...settings, told: events.told })));
  }
  events.roomsFrom(() => [...presences.values()].reduce((sum, { rooms }) => sum + rooms, 0));
  return { of: (name) => presences.get(name), [Symbol.dispose]: () => stack.dispose() };
}
