import { randomUUID } from 'node:crypto';

/** How often a node says who is on it, and how long the users of a silent node stay, in ms. */
const HEARTBEAT_MS = 1000;
const SILENCE_MS = 3500;

/**
 * @typedef {{ id: string, username: string, since: number }} User `id` is the socket's, `since` in ms since 1970
 * @typedef {{ users: User[], online: number, heardAt: number }} Node what one process last said of itself
 */

/** @param {User[]} list @param {User[]} other Those of `list` that `other` has not. */
const without = (list, other) => list.filter(({ id }) => !other.some((user) => user.id === id));

/**
 * Runs `beat` every second. `wasStopped` says that this process itself stood still, so that it has not read yet what
 * the others said meanwhile.
 *
 * @param {(now: number, wasStopped: boolean) => void} beat
 */
const everySecond = (beat) => {
  let lastAt = Date.now();
  setInterval(() => {
    const now = Date.now();
    beat(now, now - lastAt > SILENCE_MS);
    lastAt = now;
  }, HEARTBEAT_MS).unref();
};

/**
 * Who is there on all nodes, with nothing but stock Socket.IO. Every node tells the others its whole list whenever it
 * changes and once a second, so that a lost message heals by itself; the users of a node that was killed go when it
 * has been silent for 3.5 s. Good for some hundred users.
 *
 * @param {import('socket.io').Server} io
 * @param {(change: { added: User[], removed: User[] }) => void} onChange Runs on every node, so answer with `io.local`.
 */
export function createRoster(io, onChange) {
  const self = randomUUID();
  const startedAt = Date.now();
  /** @type {Map<string, User>} */
  const here = new Map();
  /** @type {Map<string, Node>} */
  const nodes = new Map();
  let isAnnouncing = false;

  const users = () =>
    [...nodes.values()]
      .flatMap((node) => node.users)
      .sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));

  /** @param {string} node @param {Node | undefined} state */
  const replace = (node, state) => {
    const before = nodes.get(node)?.users ?? [];
    const after = state?.users ?? [];
    if (state) nodes.set(node, state);
    else nodes.delete(node);
    const [added, removed] = [without(after, before), without(before, after)];
    if (added.length + removed.length > 0) onChange({ added, removed });
  };

  const mine = () => ({ users: [...here.values()], online: io.sockets.sockets.size, heardAt: Date.now() });

  /** Many changes in one turn, such as the end of a node, are one message. */
  const announce = () => {
    if (isAnnouncing) return;
    isAnnouncing = true;
    setImmediate(() => {
      isAnnouncing = false;
      io.serverSideEmit('roster:state', self, mine());
    });
  };

  const change = () => {
    replace(self, mine());
    announce();
  };

  io.on('roster:state', (/** @type {string} */ node, /** @type {Node} */ state) =>
    replace(node, { ...state, heardAt: Date.now() }),
  );
  io.on('roster:ask', announce);
  io.on('connection', (socket) => {
    change();
    socket.on('disconnect', () => {
      here.delete(socket.id);
      change();
    });
  });
  everySecond((now, wasStopped) => {
    change();
    if (wasStopped) return;
    for (const [node, { heardAt }] of nodes) if (now - heardAt > SILENCE_MS) replace(node, undefined);
  });
  io.serverSideEmit('roster:ask');

  return {
    /** Everybody who was added, on all nodes, in one order everywhere. */
    users,
    /** Sockets connected to all nodes, added or not. */
    online: () => [...nodes.values()].reduce((sum, { online }) => sum + online, 0),
    /** Whether this user came after this node started; others were there before it could tell anyone. */
    isNews: (/** @type {User} */ { since }) => since >= startedAt,
    /** Adds a connected socket under a name; it goes by itself when the socket does. */
    add: (/** @type {import('socket.io').Socket} */ socket, /** @type {string} */ username) => {
      here.set(socket.id, { id: socket.id, username, since: Date.now() });
      change();
    },
  };
}
