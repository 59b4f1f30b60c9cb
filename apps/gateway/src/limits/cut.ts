import { callOf, propertyOf } from '../socket/innards.ts';
import type { GatewaySocket } from '../socket/server.ts';

export type Connection = GatewaySocket['conn'];

/** Time for the last words to a client that is cut off, in ms. */
const LAST_WORDS_MS = 250;

/**
 * Ends a connection whose client may go on sending: nothing more is read of it, what was written goes out, and it is gone
 * a quarter of a second later whatever the client does. One that polls is gone at once, with a poll that waits for its answer.
 */
export const cut = (connection: Connection): void => {
  if (connection.transport.name === 'polling') {
    connection.close(true);
    return;
  }
  const webSocket = webSocketOf(connection);
  // Of ws 8.23.0, as all that is asked of a WebSocket here.
  callOf(webSocket, 'pause');
  connection.close();
  const end = () => {
    connection.close(true);
    terminate(webSocket);
  };
  // After what waits to be written: a process that was held up takes its timers first.
  setTimeout(() => setImmediate(end), LAST_WORDS_MS).unref();
};

/**
 * Whether the next message of a connection waits for the next turn of the event loop: thousands of them fit into what is
 * read at once, and everybody else would wait for the last one. ws 8.23.0 reads no more of the connection meanwhile.
 */
export const takeTurns = (webSocket: unknown, waits: boolean): void => {
  const receiver = propertyOf(webSocket, '_receiver');
  if (typeof receiver !== 'object' || receiver === null || !('_allowSynchronousEvents' in receiver)) return;
  Object.assign(receiver, { _allowSynchronousEvents: !waits });
};

/** The WebSocket below a connection; undefined for one that polls. */
export const webSocketOf = ({ transport }: Connection): unknown => propertyOf(transport, 'socket');

/** Ends a WebSocket at once. */
export const terminate = (webSocket: unknown): void => callOf(webSocket, 'terminate');
