import { AppError, checkPayload, LIMITS, roomJoin } from '@fanfare/protocol';
import { Socket } from 'socket.io';
import type { GatewayEvents } from '../events.ts';
import type { Limits } from '../limits/limits.ts';
import { propertyOf } from '../socket/innards.ts';
import type { GatewaySocket } from '../socket/server.ts';
import { guardedSocketMethods, refuse } from './guard.ts';
import { ackOf, type Edge } from './on.ts';

/** What a client has sent to a namespace, as the parser of socket.io hands it over. */
interface WirePacket {
  type: number;
  id?: number;
  data?: unknown[];
}
type TakePacket = (this: GatewaySocket, packet: WirePacket) => void;
type AckFor = (this: GatewaySocket, id: number) => unknown;
type Packet = [event: string, ...args: unknown[]];
type SendPacket = (this: GatewaySocket, packet: object, options?: object) => void;
type Run = (this: GatewaySocket, packet: Packet, done: (error: Error | null) => void) => void;

const EVENT = 2;
const ACK = 3;

/**
 * Gives the sockets of a namespace one prototype of their own, between them and Socket.IO's, so that what all of them do
 * alike costs no closure or listener for each: the payload of every event and ack is checked before anything else looks at
 * it, contract events go to the edge, every event is counted, one that nobody takes is refused, and where a team adds
 * listeners of its own (`guard`), those are guarded.
 */
export function createDispatch(deps: {
  edge: Edge;
  events: GatewayEvents;
  limits: Limits;
  guard: boolean;
  /** Why a socket may not ask this now, if so. */
  refusalOf: (socket: GatewaySocket, event: string) => AppError | undefined;
  /** Something that was sent to a socket alone waits for it. */
  onWaiting: (socket: GatewaySocket) => void;
}): (socket: GatewaySocket) => void {
  const { edge, events, limits, guard, refusalOf, onWaiting } = deps;
  const stock: GatewaySocket = Socket.prototype;
  const { runMiddleware, takePacket, ackFor, sendPacket } = stockMethods();

  const checkPacket = (socket: GatewaySocket, { type, data }: WirePacket): void => {
    const overLimit = limits.event(socket);
    if (overLimit !== undefined) throw overLimit;
    checkPayload(data);
    if (type !== EVENT || data?.[0] !== roomJoin.name) return;
    const tooManyRooms = limits.joins(socket, roomsAsked(data[1]));
    if (tooManyRooms !== undefined) throw tooManyRooms;
  };
  const refuseEvent = (socket: GatewaySocket, failure: Parameters<typeof refuse>[1]): void => {
    refuse(socket, failure, events);
    if (edge.has(failure.event) && ackOf(failure.args) !== undefined) events.answered();
  };
  const _onpacket: TakePacket = function takeChecked(packet) {
    // What a client that was cut off had sent before is still coming.
    if (!this.connected || this.conn.readyState !== 'open') return;
    try {
      if (packet.type === EVENT || packet.type === ACK) checkPacket(this, packet);
    } catch (thrown) {
      const error = AppError.from(thrown);
      const event = packet.type === ACK ? 'an ack' : String(packet.data?.[0]).slice(0, 128);
      const args = packet.id === undefined || packet.type === ACK ? [] : [ackFor.call(this, packet.id)];
      refuseEvent(this, { error, event, args });
      // Nobody hears that an ack was refused, and whoever waits for it would wait on.
      if (packet.type === ACK && error.code !== 'rate_limited') this.conn.close();
      return;
    }
    takePacket.call(this, packet);
  };

  const packet: SendPacket = function packetWatched(sent, options) {
    sendPacket.call(this, sent, options);
    if (hasQueue(this.conn)) onWaiting(this);
  };

  const run: Run = function run(packet, done) {
    // The parser of socket.io lets numbers pass for names.
    const event = String(packet[0]);
    events.received(event, this.nsp.name);
    const isTaken = edge.has(event) || this.listenerCount(event) > 0 || this.listenersAny().length > 0;
    const error = isTaken
      ? refusalOf(this, event)
      : new AppError('unknown_event', `No handler takes "${event.slice(0, 128)}"`);
    if (error !== undefined) {
      refuseEvent(this, { error, event, args: packet.slice(1) });
      return;
    }
    runMiddleware.call(this, packet, (error) => {
      // In the order and at the time of stock, which calls its listeners in a tick of their own.
      if (!error && edge.has(packet[0])) {
        process.nextTick(() => {
          if (this.connected) edge.take(this, packet);
        });
      }
      done(error);
    });
  };
  const shared = Object.assign(
    Object.create(stock),
    { run, _onpacket, packet },
    guard && guardedSocketMethods(stock, events),
  );
  return (socket) => void Object.setPrototypeOf(socket, shared);
}

/** Private in engine.io 6.6.11: what its transport cannot take yet. */
const hasQueue = (conn: GatewaySocket['conn']): boolean => {
  const writeBuffer = propertyOf(conn, 'writeBuffer');
  return Array.isArray(writeBuffer) && writeBuffer.length > 0;
};

/** How many rooms the payload of a `room:join` names; whether it is one at all is looked at later. */
const roomsAsked = (payload: unknown): number => {
  const rooms: unknown = typeof payload === 'object' && payload !== null ? Reflect.get(payload, 'rooms') : [];
  return Array.isArray(rooms) ? Math.min(Math.max(rooms.length, 1), LIMITS.roomsPerRequest) : 1;
};

/** What socket.io 4.8.4 has for the way of a packet: to its kind, to the ack for it, to middleware and listeners. */
const stockMethods = (): {
  runMiddleware: Run;
  takePacket: TakePacket;
  ackFor: AckFor;
  sendPacket: SendPacket;
} => {
  const [run, onPacket, ack, packet] = ['run', '_onpacket', 'ack', 'packet'].map((name) => {
    const method: unknown = Reflect.get(Socket.prototype, name);
    if (typeof method !== 'function') throw new Error(`this version of socket.io has no Socket#${name}`);
    return method;
  });
  return {
    runMiddleware(packet, done) {
      run?.call(this, packet, done);
    },
    takePacket(packet) {
      onPacket?.call(this, packet);
    },
    ackFor(id) {
      return ack?.call(this, id);
    },
    sendPacket(sent, options) {
      packet?.call(this, sent, options);
    },
  };
};
