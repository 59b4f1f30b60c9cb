import { createRoster } from '../roster.js';

const MAX_NAME = 40;

/**
 * Users come and go, and hug each other in private, whichever nodes they are on.
 *
 * @param {import('socket.io').Server} io
 */
export default function hug(io) {
  const roster = createRoster(io, ({ added, removed }) => {
    for (const { id, username } of added) io.local.emit('user.add', { id, username });
    for (const { id } of removed) io.local.emit('user.remove', id);
  });

  io.on('connection', (socket) => {
    socket.emit(
      'users.list',
      roster.users().map(({ id, username }) => ({ id, username })),
    );

    socket.on('username.create', (username, ack) => {
      const reply = typeof ack === 'function' ? ack : () => {};
      const name = typeof username === 'string' ? username.trim() : '';
      if (name === '' || name.length > MAX_NAME) {
        return reply({ status: 'error', error: `A name has 1 to ${MAX_NAME} characters` });
      }
      if (socket.data.username !== undefined) return reply({ status: 'error', error: 'You have a name' });
      socket.data.username = name;
      roster.add(socket, name);
      reply({ status: 'ok', id: socket.id });
    });

    socket.on('user.hug', (id, ack) => {
      const reply = typeof ack === 'function' ? ack : () => {};
      const from = socket.data.username;
      if (from === undefined) return reply({ status: 'error', error: 'Create a username first' });
      // Looked up, never trusted: an id that is not a user's could be the name of any room.
      const receiver = roster.users().find((user) => user.id === id);
      if (!receiver) return reply({ status: 'error', error: 'There is no such user' });
      // A socket is alone in the room of its id, on whatever node it is.
      io.to(receiver.id).to(socket.id).emit('user.hugged', { from, to: receiver.username });
      reply({ status: 'ok' });
    });
  });
}
