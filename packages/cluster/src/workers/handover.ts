import type { Worker } from 'node:cluster';
import { Socket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';

/** Fills the buffer of a socket. */
const FILLER = Buffer.alloc(getDefaultHighWaterMark(false));

/**
 * Mends how connections get to a worker. Node goes on reading a socket that it has sent until the worker confirms it,
 * and drops what it reads: at times the first frame of a websocket, which `@socket.io/sticky` 2.0.1 hands over with its
 * handshake. A full buffer makes the primary stop reading before it sends.
 *
 * A worker that is starting loses what it is sent, so its connections wait until `open` is called; they are closed if it
 * ends before that.
 */
export function guardHandover(worker: Worker): { open: () => void } {
  const { send } = worker;
  const hand = (args: unknown[]): boolean => Reflect.apply(send, worker, args);
  let waiting: { connection: Socket; args: unknown[] }[] | undefined = [];
  const takeWaiting = () => {
    const taken = waiting ?? [];
    waiting = undefined;
    return taken;
  };
  const sendGuarded = (...args: unknown[]): boolean => {
    const [, connection] = args;
    if (!(connection instanceof Socket)) return hand(args);
    connection.pause().unshift(FILLER);
    if (waiting === undefined) return hand(args);
    waiting.push({ connection, args });
    return true;
  };
  Object.assign(worker, { send: sendGuarded });
  worker.once('exit', () => {
    for (const { connection } of takeWaiting()) connection.destroy();
  });
  return {
    open: () => {
      for (const { connection, args } of takeWaiting()) if (!connection.destroyed) hand(args);
    },
  };
}
