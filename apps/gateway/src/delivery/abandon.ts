import { callOf, propertyOf } from '../socket/innards.ts';

/**
 * Ends a connection whose other side does not read, at once and without a word: one could not reach it. What waited for it
 * is let go of, in the process and in the kernel. A stock client sees a lost transport and comes back by itself.
 */
export const abandon = (connection: object, reason: string): void => {
  const transport = propertyOf(connection, 'transport');
  const webSocket = propertyOf(transport, 'socket');
  const stream = propertyOf(webSocket, '_socket');
  // Polling of engine.io 6.6.11 would wait 30 s for a poll that could carry its last packet.
  callOf(transport, 'discard');
  // Private in engine.io 6.6.11: what ends a connection, with the reason that its sockets hear.
  callOf(connection, 'onClose', reason);
  // Node 24: the connection is reset, so that the kernel does not keep what it has not sent.
  if (typeof stream === 'object') Object.assign(stream ?? {}, { resetAndClosing: true });
  callOf(webSocket, 'terminate');
};
