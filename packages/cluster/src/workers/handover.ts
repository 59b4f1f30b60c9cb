import type { Worker } from 'node:cluster';
import { Socket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';

/** Fills the buffer of a socket. */
const FILLER = Buffer.alloc(getDefaultHighWaterMark(false));

/**
 * Mends how connections get to a worker. Node goes on reading a socket that it has sent until the worker confirms it,
 * and drops what it reads: at times the first frame of a websocket, which `@socket.io/sticky` 2.0.1 hands over with its
 * handshake. A full buffer makes the primary stop reading before it sends.
 */
export function guardHandover(worker: Worker): void {
  const { send } = worker;
  const sendGuarded = (...args: unknown[]): boolean => {
    const [, handle] = args;
    if (handle instanceof Socket) handle.pause().unshift(FILLER);
    return Reflect.apply(send, worker, args);
  };
  Object.assign(worker, { send: sendGuarded });
}
