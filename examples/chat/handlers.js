import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRoster } from '../roster.js';
import { openMessages } from './messages.js';

/**
 * @typedef {import('socket.io').Server} Server
 * @typedef {import('socket.io').Socket} Socket
 * @typedef {ReturnType<typeof createRoster>} Roster
 */

const MAX_NAME = 40;
const MAX_TEXT = 2000;
const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** What a client did wrong, in words for its user. */
class Refusal extends Error {}

/** @param {unknown} text @param {number} longest @param {string} what */
const required = (text, longest, what) => {
  if (typeof text !== 'string' || text.trim() === '') throw new Refusal(`${what} is missing`);
  if (text.length > longest) throw new Refusal(`${what} is longer than ${longest} characters`);
  return text.trim();
};

/** @param {Socket} socket */
const usernameOf = (socket) => {
  if (socket.data.username === undefined) throw new Refusal('Not authenticated');
  return String(socket.data.username);
};

/**
 * Takes an event and answers `{status: 'ok', …}` or `{status: 'error', error}` to a client that wants to know.
 *
 * @param {Socket} socket
 * @param {string} event
 * @param {(payload: Record<string, unknown>) => object | void} handle
 */
const take = (socket, event, handle) =>
  socket.on(event, (/** @type {unknown[]} */ ...args) => {
    const last = args.at(-1);
    const ack = typeof last === 'function' ? last : () => {};
    try {
      const payload = typeof args[0] === 'object' && args[0] !== null ? args[0] : {};
      ack({ status: 'ok', ...handle(/** @type {Record<string, unknown>} */ (payload)) });
    } catch (error) {
      ack({ status: 'error', error: error instanceof Refusal ? error.message : 'Something went wrong here' });
      // What is not the client's fault goes to the gateway's log.
      if (!(error instanceof Refusal)) throw error;
    }
  });

/** @param {Roster} roster */
const userList = (roster) => {
  const byName = new Map(roster.users().map(({ id, username }) => [username, { id, username }]));
  return [...byName.values()];
};

/**
 * Tells the sockets of this node who came and went. A name is one person: with a second tab, or back on another node
 * before the old one is missed, nobody came or went.
 *
 * @param {Server} io
 * @param {Roster} roster
 * @param {Parameters<Parameters<typeof createRoster>[1]>[0]} change
 */
const tellChange = (io, roster, { added, removed }) => {
  const say = (/** @type {string} */ message) =>
    io.local.emit('system-message', { message, timestamp: Date.now() });
  const users = roster.users();
  const present = new Set(users.map(({ username }) => username));
  const others = new Set(users.filter((user) => !added.includes(user)).map(({ username }) => username));
  for (const name of new Set(added.filter(roster.isNews).map(({ username }) => username))) {
    if (!others.has(name)) say(`${name} joined the chat`);
  }
  for (const name of new Set(removed.map(({ username }) => username))) {
    if (!present.has(name)) say(`${name} left the chat`);
  }
  io.local.emit('user-list', userList(roster));
};

/**
 * What who has joined may say.
 *
 * @param {Server} io
 * @param {Socket} socket
 * @param {ReturnType<typeof openMessages>} messages
 */
const registerMessages = (io, socket, messages) => {
  take(socket, 'chat-message', ({ message }) => {
    const username = usernameOf(socket);
    const id = randomUUID();
    const text = required(message, MAX_TEXT, 'The message');
    io.emit('chat-message', { id, username, message: text, timestamp: Date.now() });
    return { id };
  });

  take(socket, 'message.send', ({ message }) => {
    const username = usernameOf(socket);
    io.emit('message.sent', { username, message: required(message, MAX_TEXT, 'The message') });
  });

  take(socket, 'save-message', ({ message }) => ({
    id: messages.save(usernameOf(socket), required(message, MAX_TEXT, 'The message')),
  }));

  take(socket, 'image', ({ type, bytes }) => {
    const username = usernameOf(socket);
    if (!IMAGE_TYPES.some((known) => known === type)) throw new Refusal('Not a picture');
    if (!Buffer.isBuffer(bytes)) throw new Refusal('The bytes are missing');
    io.emit('image', { id: randomUUID(), username, type, bytes });
  });

  // Droppable: a client that is slow to read loses typing lines, never messages.
  for (const event of ['typing', 'stop-typing']) {
    take(socket, event, () => {
      socket.volatile.broadcast.emit(event, { username: usernameOf(socket) });
    });
  }
};

/**
 * A chat with a list of users, typing lines, acknowledgements and pictures. Names are taken at their word here, as in
 * any first chat; a product would use `socket.data.user`, which the token vouches for.
 *
 * @param {Server} io
 */
export default function chat(io) {
  // biome-ignore lint/style/noProcessEnv: a team's module has no other settings than its own variables.
  const messages = openMessages(process.env.CHAT_DB ?? join(tmpdir(), 'fanfare-chat.sqlite'));
  /** @type {Roster} */
  const roster = createRoster(io, (change) => tellChange(io, roster, change));

  io.on('connection', (socket) => {
    socket.emit('welcome', { message: 'Welcome to the chat', onlineUsers: roster.online() });
    socket.emit('user-list', userList(roster));
    take(socket, 'user-join', ({ username }) => {
      if (socket.data.username !== undefined) throw new Refusal('Already joined');
      socket.data.username = required(username, MAX_NAME, 'The name');
      roster.add(socket, socket.data.username);
    });
    registerMessages(io, socket, messages);
  });
}
