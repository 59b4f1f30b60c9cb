import type { EventEmitter } from 'node:events';
import type { Namespace } from 'socket.io';

// Members that socket.io 4.8.4, socket.io-adapter 2.5.8, engine.io 6.6.11, ws 8.23.0 and Node 24 do not
// document. Each is looked at on the instance before it is used; what does not fit stays stock.

export type Adapter = Namespace['adapter'];
export type EncodedPackets = ReadonlyArray<unknown>;

export interface BroadcastFilter {
  readonly rooms: ReadonlySet<string>;
  readonly except?: ReadonlySet<string>;
  readonly flags?: BroadcastFlags | null;
}

/** Flags of a broadcast beside those of Socket.IO; anything may stand in them. */
export interface BroadcastFlags {
  readonly droppable?: unknown;
  readonly conflate?: unknown;
}

/** `Socket` of socket.io. */
export interface Member {
  readonly id: string;
  readonly client: object;
  onAnyOutgoing(listener: unknown): unknown;
  prependAnyOutgoing(listener: unknown): unknown;
  listenersAnyOutgoing(): ReadonlyArray<unknown>;
}

/** `Adapter` of socket.io-adapter 2.5.8: broadcast() calls `_encode` and `apply` on itself. */
export interface AdapterSeam {
  readonly rooms: ReadonlyMap<string, ReadonlySet<string>>;
  readonly sids: ReadonlyMap<string, unknown>;
  readonly nsp: { readonly sockets: ReadonlyMap<string, Member> };
  _encode(packet: unknown, options: WriteOptions): EncodedPackets;
  apply(filter: BroadcastFilter, visit: (socket: Member) => void): void;
  delAll(id: string): void;
  on(event: 'join-room' | 'leave-room', listener: (room: string, id: string) => void): unknown;
}

export interface WriteOptions {
  readonly volatile?: boolean;
  /** The frame of a single text packet: its header and its payload. */
  readonly wsPreEncodedFrame?: unknown;
}

/** `Client` of socket.io 4.8.4: every packet of every namespace of a connection passes `writeToEngine`. */
export interface Client {
  readonly conn: Connection;
  writeToEngine(packets: EncodedPackets, options: WriteOptions): void;
}

/** `Socket` of engine.io 6.6.11. */
export interface Connection extends EventEmitter {
  readonly readyState: string;
  readonly transport: Transport;
  writeBuffer: ReadonlyArray<unknown>;
  readonly server: EventEmitter;
  close(discard?: boolean): void;
}

/** `Transport` of engine.io 6.6.11; `writable` turns true again when its last write has completed. */
export interface Transport extends EventEmitter {
  readonly protocol: number;
  readonly supportsBinary: boolean;
  readonly socket?: unknown;
  writable: boolean;
  onError(message: string, description?: string): void;
}

/** `WebSocket` of ws 8.23.0, server side. */
export interface WebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly extensions: string;
  readonly _socket: Stream;
}

/** `net.Socket`, as far as it is used here. */
export interface Stream extends EventEmitter {
  readonly _handle?: unknown;
  readonly timeout?: number;
  readonly destroyed: boolean;
  readonly writable: boolean;
  readonly writableLength: number;
  write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean;
  end(chunk?: unknown, encoding?: unknown, callback?: unknown): unknown;
  destroy(error?: unknown, callback?: unknown): unknown;
  setTimeout(timeoutMs: number, callback?: unknown): unknown;
}

/** The object that `TCP` of Node 24 takes with a write and calls back when it did not finish at once. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void;
  onWritten?: (error: Error | null) => void;
  bytes?: Buffer;
}

/** `TCP` of Node 24: returns 0 or an error code; what the kernel did not take at once is in `writeQueueSize`. */
export interface TcpHandle {
  readonly writeQueueSize: number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const aFunction: Check = (value) => typeof value === 'function';
const aString: Check = (value) => typeof value === 'string';
const aNumber: Check = (value) => typeof value === 'number';
const aBoolean: Check = (value) => typeof value === 'boolean';
const aMap: Check = (value) => value instanceof Map;
const anArray: Check = (value) => Array.isArray(value);

const EMITTER: Shape = { on: aFunction, emit: aFunction, listenerCount: aFunction };
const anEmitter: Check = (value) => fits(value, EMITTER);
const ADAPTER: Shape = {
  _encode: aFunction,
  apply: aFunction,
  delAll: aFunction,
  on: aFunction,
  rooms: aMap,
  sids: aMap,
  nsp: (value) => fits(value, { sockets: aMap }),
};
const CONNECTION: Shape = {
  ...EMITTER,
  readyState: aString,
  writeBuffer: anArray,
  close: aFunction,
  server: anEmitter,
  transport: anEmitter,
};
const CLIENT: Shape = { writeToEngine: aFunction, conn: (value) => fits(value, CONNECTION) };
const TRANSPORT: Shape = {
  ...EMITTER,
  name: (value) => value === 'websocket',
  protocol: aNumber,
  supportsBinary: aBoolean,
  writable: aBoolean,
  onError: aFunction,
};
const STREAM: Shape = {
  ...EMITTER,
  write: aFunction,
  end: aFunction,
  destroy: aFunction,
  setTimeout: aFunction,
  destroyed: aBoolean,
  writable: aBoolean,
  writableLength: aNumber,
};
const MEMBER: Shape = {
  onAnyOutgoing: aFunction,
  prependAnyOutgoing: aFunction,
  listenersAnyOutgoing: aFunction,
};
const WEBSOCKET: Shape = {
  readyState: aNumber,
  bufferedAmount: aNumber,
  extensions: aString,
  _socket: (value) => fits(value, STREAM),
};
const TCP: Shape = {
  constructor: (value: unknown) => typeof value === 'function' && value.name === 'TCP',
  writeBuffer: aFunction,
  writeQueueSize: aNumber,
};

function fits(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(shape).every(([name, check]) => check(Reflect.get(value, name)));
}

export const isAdapterSeam = (value: unknown): value is AdapterSeam => fits(value, ADAPTER);
export const isConnection = (value: unknown): value is Connection => fits(value, CONNECTION);
export const isClient = (value: unknown): value is Client => fits(value, CLIENT);
export const isWebSocketTransport = (value: unknown): value is Transport => fits(value, TRANSPORT);
export const isWebSocket = (value: unknown): value is WebSocket => fits(value, WEBSOCKET);
export const isTcpHandle = (value: unknown): value is TcpHandle => fits(value, TCP);

const STOCK_VISIT = `(socket) => {
if (typeof socket.notifyOutgoingListeners === "function") {
socket.notifyOutgoingListeners(packet);
}
socket.client.writeToEngine(encodedPackets, packetOpts);
}`;

/**
 * Whether this is what `Adapter.broadcast` of socket.io-adapter 2.5.8 does with each socket, by its source: only
 * then may a broadcast go past it. Another version, a bundler or a subclass has its own visit called.
 */
export function isStockVisit(source: string): boolean {
  return source.replace(/\n\s+/g, '\n') === STOCK_VISIT;
}

/** Whether the socket tells who listens to what it sends, and nobody has replaced how to listen. */
export function canBeWatched(socket: object): boolean {
  return fits(socket, MEMBER) && !isInstrumented(socket, 'onAnyOutgoing', 'prependAnyOutgoing');
}

/** Whether somebody has replaced one of the methods on the instance, and so wants to see each call of it. */
export function isInstrumented(value: object, ...methods: string[]): boolean {
  return methods.some((method) => Object.hasOwn(value, method));
}
