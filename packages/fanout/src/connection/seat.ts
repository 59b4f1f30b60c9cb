import {
  isInstrumented,
  isWebSocket,
  isWebSocketTransport,
  type Stream,
  type Transport,
  type WebSocket,
} from '../seams.ts';

const SEAT = Symbol('seat');

/** Who writes through a seat, and hears of everybody else who does. */
export interface Occupant {
  /** Somebody else is about to use the stream: writes what is ahead of that. */
  yield(): void;
  yieldToDestroy(hasFailed: boolean): void;
  touch(): void;
}

/** An uncompressed websocket and its stream, whose methods call the occupant first. */
export interface Seat {
  readonly occupant: Occupant;
  readonly transport: Transport;
  /** Engine.IO 3 and base64 connections have their own forms of a binary packet. */
  readonly takesBinary: boolean;
  readonly webSocket: WebSocket;
  readonly stream: Stream;
  readonly write: Stream['write'];
  readonly end: Stream['end'];
  readonly destroy: Stream['destroy'];
  readonly setTimeout: Stream['setTimeout'];
}

type SeatedStream = Stream & { readonly [SEAT]: Seat };

/**
 * All that engine.io and ws write to a connection (packets, pongs, close frames) passes the public methods of
 * its net.Socket, so order is kept there. Returns null for a transport that is to be left to engine.io.
 */
export function takeSeat(transport: unknown, occupant: Occupant): Seat | null {
  if (!isWebSocketTransport(transport) || isInstrumented(transport, 'send')) return null;
  const webSocket = transport.socket;
  if (!isWebSocket(webSocket) || webSocket.extensions !== '' || isInstrumented(webSocket, 'send'))
    return null;
  const stream = webSocket._socket;
  if (isInstrumented(stream, 'write', 'end', 'destroy', 'setTimeout')) return null;
  const { write, end, destroy, setTimeout } = stream;
  const takesBinary = transport.protocol === 4 && transport.supportsBinary;
  const seat: Seat = { occupant, transport, takesBinary, webSocket, stream, write, end, destroy, setTimeout };
  Object.assign(stream, { [SEAT]: seat, ...GUARDED });
  return seat;
}

const GUARDED = {
  write(this: SeatedStream, chunk: unknown, encoding: unknown, callback: unknown) {
    const { occupant, write } = this[SEAT];
    occupant.yield();
    return write.call(this, chunk, encoding, callback);
  },
  end(this: SeatedStream, chunk: unknown, encoding: unknown, callback: unknown) {
    const { occupant, end } = this[SEAT];
    occupant.yield();
    return end.call(this, chunk, encoding, callback);
  },
  destroy(this: SeatedStream, error: unknown, callback: unknown) {
    const { occupant, destroy } = this[SEAT];
    occupant.yieldToDestroy(Boolean(error));
    return destroy.call(this, error, callback);
  },
  setTimeout(this: SeatedStream, timeoutMs: number, callback: unknown) {
    const { occupant, setTimeout } = this[SEAT];
    occupant.touch();
    return setTimeout.call(this, timeoutMs, callback);
  },
};
