import { EventEmitter } from 'node:events';
import { propertyOf } from '../socket/innards.ts';
import type { GatewayServer } from '../socket/server.ts';
import { type Connection, webSocketOf } from './cut.ts';
import type { Limits } from './limits.ts';

/** Between the packets of a payload of long polling. */
const SEPARATOR = '\u001e';

/** Longest that a connection which is closed waits for a poll to be told so, in ms; stock keeps it for 30 s. */
const CLOSE_MS = 3000;

/** The first character of a packet of Socket.IO that asks to join a namespace, a zero. */
const CONNECT = 48;

interface EnginePacket {
  type: string;
  data?: unknown;
}

/** Counts what comes in on every connection, before Socket.IO or its parser looks at it. */
export function watchConnections(io: GatewayServer, limits: Limits): void {
  // One function for all connections; the emitter is what `this` is.
  function onPacket(this: Connection, { type, data }: EnginePacket): void {
    // The answer to a ping is all that an idle connection sends: it is free, so that nothing is kept for one.
    if (type === 'pong' && propertyOf(this, 'pingTimeoutTimer') !== null) return;
    if (!limits.packet(this, lengthOf(data))) return;
    if (type === 'message' && typeof data === 'string' && data.charCodeAt(0) === CONNECT)
      limits.connect(this);
  }
  function onControl(this: object): void {
    limits.control(this);
  }
  function onUpgrade(this: Connection): void {
    watchFrames(this, onControl);
  }
  io.engine.on('connection', (connection: Connection) => {
    connection.on('packet', onPacket);
    if (connection.transport.name === 'websocket') watchFrames(connection, onControl);
    else connection.once('upgrade', onUpgrade);
    limits.addresses?.enter(connection);
    if (connection.transport.name === 'polling') watchPolls(connection, limits);
  });
}

/** Most pieces of one message: ws counts them for itself, and a read brings thousands. */
const MAX_FRAGMENTS = 256;

/** Counts pings and pongs of a WebSocket, and bounds the pieces of a message. */
const watchFrames = (connection: Connection, onControl: () => void): void => {
  const webSocket = webSocketOf(connection);
  if (!(webSocket instanceof EventEmitter)) return;
  webSocket.on('ping', onControl).on('pong', onControl);
  // Of ws 8.23.0.
  const receiver = propertyOf(webSocket, '_receiver');
  if (typeof receiver === 'object' && receiver !== null && '_maxFragments' in receiver)
    Object.assign(receiver, { _maxFragments: MAX_FRAGMENTS });
};

const lengthOf = (data: unknown): number => {
  if (typeof data === 'string') return data.length;
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
};

/**
 * Polling#onData of engine.io 6.6.11 makes a packet of every part of a payload at once, and a payload of 100 KB can hold
 * 50,000: they are counted before.
 */
const watchPolls = (connection: Connection, limits: Limits): void => {
  const { transport } = connection;
  const onData = propertyOf(transport, 'onData');
  if (typeof onData !== 'function') throw new Error('this version of engine.io has no Polling#onData');
  Object.assign(transport, {
    closeTimeout: CLOSE_MS,
    onData(data: unknown) {
      if (typeof data !== 'string' || limits.packets(connection, countPackets(data)))
        onData.call(transport, data);
    },
  });
};

const countPackets = (payload: string): number => {
  let count = 1;
  for (let at = payload.indexOf(SEPARATOR); at !== -1; at = payload.indexOf(SEPARATOR, at + 1)) count += 1;
  return count;
};
