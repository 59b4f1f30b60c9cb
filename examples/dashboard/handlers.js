import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openComments } from './comments.js';

const SNAPSHOT = 50;

/**
 * A live dashboard of comments. Dashboards on `/dashboard` only listen; who may write has a token for `/admin`.
 *
 * @param {import('socket.io').Server} io
 */
export default function dashboard(io) {
  // biome-ignore lint/style/noProcessEnv: a team's module has no other settings than its own variables.
  const comments = openComments(process.env.COMMENTS_DB ?? join(tmpdir(), 'fanfare-comments.sqlite'));

  // The socket hears comment.add before it reads the snapshot, so nothing falls between the two; what is in both has
  // the same id.
  io.of('/dashboard').on('connection', (socket) => {
    socket.emit('comments.list', comments.latest(SNAPSHOT));
  });

  io.of('/admin').on('connection', (socket) => {
    socket.on('comment.create', (payload, ack) => {
      const reply = typeof ack === 'function' ? ack : () => {};
      try {
        const text = typeof payload?.comment === 'string' ? payload.comment.trim() : '';
        const comment = comments.insert(socket.data.user.id, text);
        // Only now: a comment that the database refused is never told.
        io.of('/dashboard').emit('comment.add', comment);
        reply({ status: 'ok', id: comment.id });
      } catch {
        reply({
          status: 'error',
          error: 'The database did not take the comment: it needs 1 to 500 characters',
        });
      }
    });
  });
}
