import { AppError } from '@fanfare/protocol';
import { Socket } from 'socket.io';
import type { GatewayEvents } from '../events.ts';
import { guardedSocketMethods, refuse } from './guard.ts';
import type { Edge } from './on.ts';
import type { GatewaySocket } from './server.ts';

type Packet = [event: string, ...args: unknown[]];
type Run = (this: GatewaySocket, packet: Packet, done: (error: Error | null) => void) => void;

/**
 * Gives the sockets of a namespace one prototype of their own, between them and Socket.IO's, so that what all of them do
 * alike costs no closure or listener for each: contract events go to the edge, every event is counted, one that nobody
 * takes is refused, and where a team adds listeners of its own (`guard`), those are guarded.
 */
export function createDispatch(deps: {
  edge: Edge;
  events: GatewayEvents;
  guard: boolean;
}): (socket: GatewaySocket) => void {
  const { edge, events, guard } = deps;
  const stock: GatewaySocket = Socket.prototype;
  const runMiddleware = stockRun();

  const run: Run = function run(packet, done) {
    // The parser of socket.io lets numbers pass for names.
    const event = String(packet[0]);
    events.received(event, this.nsp.name);
    const isTaken = edge.has(event) || this.listenerCount(event) > 0 || this.listenersAny().length > 0;
    if (!isTaken) {
      const error = new AppError('unknown_event', `No handler takes "${event.slice(0, 128)}"`);
      refuse(this, { error, event, args: packet.slice(1) }, events);
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
  const shared = Object.assign(Object.create(stock), { run }, guard && guardedSocketMethods(stock, events));
  return (socket) => void Object.setPrototypeOf(socket, shared);
}

/** Socket#run of socket.io 4.8.4: the one way from a packet to the socket's middleware and listeners. */
const stockRun = (): Run => {
  const run: unknown = Reflect.get(Socket.prototype, 'run');
  if (typeof run !== 'function') throw new Error('this version of socket.io has no Socket#run');
  return function runStock(packet, done) {
    run.call(this, packet, done);
  };
};
