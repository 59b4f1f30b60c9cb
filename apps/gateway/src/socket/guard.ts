import { AppError } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { ackOf } from './on.ts';
import type { GatewayNamespace, GatewaySocket } from './server.ts';

type Listener = (...args: unknown[]) => unknown;
type Fields = { socket?: string; event?: string; namespace: string };

/** Events that Socket.IO emits itself; their listeners get no ack. */
const LIFECYCLE: ReadonlySet<string | symbol> = new Set([
  'connect',
  'connection',
  'disconnect',
  'disconnecting',
  'error',
]);

/** Runs a listener so that neither a throw nor a rejection gets out; `fail` hears of both. */
const guarded =
  (listener: Listener, fail: (error: AppError, args: unknown[]) => void): Listener =>
  (...args) => {
    try {
      const result = listener(...args);
      if (result instanceof Promise) result.catch((thrown: unknown) => fail(AppError.from(thrown), args));
    } catch (thrown) {
      fail(AppError.from(thrown), args);
    }
  };

/** Every way of adding a listener, with the one it comes down to; Node's `once` would go through `on` a second time. */
const METHODS = [
  { method: 'on', adder: 'on', isOnce: false },
  { method: 'addListener', adder: 'on', isOnce: false },
  { method: 'once', adder: 'on', isOnce: true },
  { method: 'prependListener', adder: 'prependListener', isOnce: false },
  { method: 'prependOnceListener', adder: 'prependListener', isOnce: true },
] as const;

/** Makes every way of adding a listener to this one emitter add a guarded one. */
const guardEmitter = (
  emitter: GatewaySocket | GatewayNamespace,
  report: (error: AppError, event: string, args: unknown[]) => void,
): void => {
  const adders: Record<'on' | 'prependListener', (event: string, listener: Listener) => unknown> = {
    on: emitter.on.bind(emitter),
    prependListener: emitter.prependListener.bind(emitter),
  };
  for (const { method, adder, isOnce } of METHODS) {
    const add = (event: string, listener: Listener) => {
      const run = (...args: unknown[]) => {
        if (isOnce) emitter.removeListener(event, listener);
        return listener(...args);
      };
      const wrapped = guarded(run, (error, args) => report(error, String(event), args));
      // Node's emitters find a wrapped listener by this property, so `off(event, listener)` works with the original.
      adders[adder](event, Object.assign(wrapped, { listener }));
      return emitter;
    };
    Object.assign(emitter, { [method]: add });
  }
};

/**
 * Puts a namespace that a team's own handlers will use behind the same guards as ours: a listener or middleware that
 * throws or rejects ends no process, an ack that was asked for is answered, and an event that nobody takes is refused.
 */
export function guardNamespace(namespace: GatewayNamespace, events: GatewayEvents): void {
  namespace.on('connection', (socket) => guardSocket(socket, events));
  guardEmitter(namespace, (error, event) => events.failed(error, { event, namespace: namespace.name }));

  const use = namespace.use.bind(namespace);
  namespace.use = (middleware) =>
    use((socket, next) => {
      const refuse = (error: AppError) => {
        events.failed(error, { socket: socket.id, namespace: namespace.name });
        next(Object.assign(new Error(error.message), { data: error.toWire() }));
      };
      guarded(() => middleware(socket, next), refuse)();
    });
}

const guardSocket = (socket: GatewaySocket, events: GatewayEvents): void => {
  const fields = (event: string): Fields => ({ socket: socket.id, event, namespace: socket.nsp.name });
  const answer = (error: AppError, event: string, args: readonly unknown[]) => {
    events.failed(error, fields(event));
    if (!LIFECYCLE.has(event)) ackOf(args)?.({ ok: false, error: error.toWire() });
  };
  guardEmitter(socket, answer);
  socket.use(([event, ...args], next) => {
    events.received(event, socket.nsp.name);
    const isTaken = socket.listenerCount(event) > 0 || socket.listenersAny().length > 0;
    if (isTaken) next();
    else answer(new AppError('unknown_event', `No handler takes "${event.slice(0, 128)}"`), event, args);
  });
};
