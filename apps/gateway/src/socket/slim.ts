import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import { propertyOf } from './innards.ts';
import type { GatewaySocket } from './server.ts';

// What this file knows of the innards of a connection is that of socket.io 4.8.4, engine.io 6.6.11, ws 8.23.0 and
// Node 24. What is not as it is there is left alone.

/** Makes a socket that has just come in, and its connection, as small as they can be without anybody noticing. */
export function slimSocket(socket: GatewaySocket): void {
  const { conn, client } = socket;
  const { transport } = conn;
  const webSocket = propertyOf(transport, 'socket');
  if (transport.name === 'websocket') dropSpentListeners(transport, webSocket);
  trimArray(conn, 'cleanupFn');
  const decoder = propertyOf(client, 'decoder');
  trimArray(propertyOf(decoder, '_callbacks'), '$decoded');
  for (const emitter of [socket, conn, transport, webSocket]) packListeners(emitter);
}

/**
 * Lets go of what nobody asks for once a socket is in, where a team has no code that could: the HTTP request and the
 * token. What stays of the request is what socket.io reads when the same connection opens another namespace
 * (`Socket#buildHandshake`).
 */
export function forgetHandshakes(): (socket: GatewaySocket) => void {
  let latest: Pick<GatewaySocket['handshake'], 'time' | 'url' | 'query'> | undefined;
  const shareHeaders = createHeaderSharing();
  return ({ handshake, conn }) => {
    handshake.auth = NOTHING;
    // Most connections come with the query of the one before and within the same second: they can share the strings.
    if (latest?.time === handshake.time) handshake.time = latest.time;
    if (latest?.url === handshake.url) Object.assign(handshake, { url: latest.url, query: latest.query });
    handshake.headers = shareHeaders(handshake.headers);
    const { time, url, query, headers } = handshake;
    latest = { time, url, query };
    const { request } = conn;
    if (!(request instanceof IncomingMessage)) return;
    const connection = propertyOf(request.socket, 'encrypted') === true ? ENCRYPTED : PLAIN;
    Object.assign(conn, { request: { headers, url, _query: query, connection } });
    // What Node has cached of the other side is in the handshake.
    Object.assign(request.socket, { _peername: undefined });
  };
}

type Headers = GatewaySocket['handshake']['headers'];

/** Most header values that are kept to be shared. */
const SHARED_VALUES = 2000;

/** Good for one upgrade only, and different for each. */
const KEY = 'sec-websocket-key';

const SECRET_HEADERS: ReadonlySet<string> = new Set(['cookie', 'authorization']);

/** Browsers of one kind send the same long headers: equal values become one string, equal headers one object. */
const createHeaderSharing = (): ((headers: Headers) => Headers) => {
  const values = new Map<string, string>();
  let latest: Headers = {};
  let latestCount = 0;
  const share = (value: string): string => {
    const known = values.get(value);
    if (known !== undefined) return known;
    if (values.size >= SHARED_VALUES) values.clear();
    values.set(value, value);
    return value;
  };
  const isAsLatest = (headers: Headers): boolean => {
    let count = 0;
    for (const name in headers) {
      if (name === KEY) continue;
      if (headers[name] !== latest[name]) return false;
      count += 1;
    }
    return count === latestCount;
  };
  return (headers) => {
    if (isAsLatest(headers)) return latest;
    const { [KEY]: _, ...lasting } = headers;
    const names = Object.keys(lasting);
    for (const name of names) {
      const value = lasting[name];
      if (typeof value === 'string' && !SECRET_HEADERS.has(name)) lasting[name] = share(value);
    }
    latest = lasting;
    latestCount = names.length;
    return lasting;
  };
};

const NOTHING = Object.freeze({});
const ENCRYPTED = Object.freeze({ encrypted: true });
const PLAIN = Object.freeze({ encrypted: false });

/** Takes off what engine.io listens to only until a WebSocket is open, and leaves behind. */
const dropSpentListeners = (transport: EventEmitter, webSocket: unknown): void => {
  // Headers of HTTP answers, which only polling goes on to send.
  transport.removeAllListeners('headers');
  if (!(webSocket instanceof EventEmitter)) return;
  const [spent, ...others] = webSocket.listeners('error');
  if (spent?.name === 'onUpgradeError' && others.length > 0) webSocket.off('error', spent as () => void); // from an emitter
};

/** V8 makes room for 17 elements with the first `push`. */
const trimArray = (owner: unknown, name: string): void => {
  const array = propertyOf(owner, name);
  if (Array.isArray(array)) Object.assign(owner ?? {}, { [name]: [...array] });
};

/** A prototype without names of its own, as that of the objects in which Node keeps listeners. */
const NO_NAMES: object = Object.freeze(Object.create(null));

/** Most different sets of names that are known; a team may listen to anything. */
const LAYOUTS = 64;

/** Sets of names that emitters have had, as lists. */
const layouts: PropertyKey[][] = [];

/**
 * Node keeps the listeners of an emitter in an object that V8 takes for a dictionary: 304 bytes for six events. A copy
 * that has a prototype is an ordinary object, whose names all connections share: 100 bytes.
 */
const packListeners = (emitter: unknown): void => {
  if (!(emitter instanceof EventEmitter)) return;
  const listeners = propertyOf(emitter, '_events');
  if (typeof listeners !== 'object' || listeners === null || Object.getPrototypeOf(listeners) !== null)
    return;
  Object.assign(emitter, { _events: copyByLayout(listeners, propertyOf(emitter, '_eventsCount')) });
};

/** To list the names of a dictionary takes 5 µs, to look up names that others had takes a tenth of it. */
const copyByLayout = (listeners: object, count: unknown): object => {
  for (const names of layouts) {
    const copy = names.length === count ? copyOf(listeners, names) : undefined;
    if (copy !== undefined) return copy;
  }
  const names = Reflect.ownKeys(listeners);
  if (layouts.length < LAYOUTS) layouts.push(names);
  return copyOf(listeners, names) ?? listeners;
};

const copyOf = (listeners: object, names: readonly PropertyKey[]): object | undefined => {
  const copy: Record<PropertyKey, unknown> = Object.create(NO_NAMES);
  for (const name of names) {
    const own: unknown = Reflect.get(listeners, name);
    if (own === undefined) return undefined;
    copy[name] = own;
  }
  return copy;
};
