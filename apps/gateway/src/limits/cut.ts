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
  const webSocket: unknown = Reflect.get(connection.transport, 'socket');
  call(webSocket, 'pause');
  connection.close();
  setTimeout(() => {
    connection.close(true);
    call(webSocket, 'terminate');
  }, LAST_WORDS_MS).unref();
};

/** Of ws 8.23.0. */
const call = (webSocket: unknown, name: 'pause' | 'terminate'): void => {
  if (typeof webSocket !== 'object' || webSocket === null) return;
  const method: unknown = Reflect.get(webSocket, name);
  if (typeof method === 'function') method.call(webSocket);
};
