import { AppError, checkPayload } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { refusal } from '../socket/refusal.ts';
import type { GatewayNamespace, GatewaySocket } from '../socket/server.ts';
import { ackOf } from './on.ts';

type Emitter = GatewaySocket | GatewayNamespace;
type Listener = (...args: unknown[]) => unknown;
type Adder = (this: Emitter, event: string, listener: Listener) => Emitter;
/** Tells of what a listener of an emitter threw. */
type Report = (emitter: Emitter, failure: { error: AppError; event: string; args: unknown[] }) => void;

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

/** Every way of adding a listener to an emitter that has these stock methods, so that it adds a guarded one. */
const guardedMethods = (
  stock: Record<'on' | 'prependListener', (event: string, listener: Listener) => unknown>,
  report: Report,
): Record<string, Adder> => {
  const methods = METHODS.map(({ method, adder, isOnce }): [string, Adder] => [
    method,
    function add(event, listener) {
      const run = (...args: unknown[]) => {
        if (isOnce) this.removeListener(event, listener);
        // An emitter is what `this` is in a listener that is no arrow function.
        return listener.apply(this, args);
      };
      const wrapped = guarded(run, (error, args) => report(this, { error, event: String(event), args }));
      // Node's emitters find a wrapped listener by this property, so `off(event, listener)` works with the original.
      stock[adder].call(this, event, Object.assign(wrapped, { listener }));
      return this;
    },
  ]);
  return Object.fromEntries(methods);
};

/** Tells a client that an event of its own failed, when it asked for an answer. */
export const refuse = (
  socket: GatewaySocket,
  failure: { error: AppError; event: string; args: readonly unknown[] },
  events: GatewayEvents,
): void => {
  const { error, event, args } = failure;
  events.failed(error, { socket: socket.id, event, namespace: socket.nsp.name });
  if (!LIFECYCLE.has(event)) ackOf(args)?.({ ok: false, error: error.toWire() });
};

const CATCH_ALLS = [
  'onAny',
  'prependAny',
  'offAny',
  'onAnyOutgoing',
  'prependAnyOutgoing',
  'offAnyOutgoing',
] as const;

/**
 * The ways of adding code to all sockets of a namespace: listeners, catch-all listeners, middleware and callbacks for
 * answers. What throws or rejects in one ends no process.
 */
export const guardedSocketMethods = (
  stock: Pick<GatewaySocket, 'on' | 'prependListener' | 'use' | 'emit' | (typeof CATCH_ALLS)[number]>,
  events: GatewayEvents,
): object => {
  const listeners = guardedMethods(stock, (emitter, failure) => {
    if ('nsp' in emitter) refuse(emitter, failure, events);
  });
  const report = (socket: GatewaySocket, error: AppError, event: string) =>
    events.failed(error, { socket: socket.id, event, namespace: socket.nsp.name });

  // One for each listener, whichever sockets it listens to: `offAny(listener)` has to find it.
  const guardedCatchAlls = new WeakMap<Listener, Listener>();
  const guardedCatchAll = (listener: Listener): Listener => {
    const known = guardedCatchAlls.get(listener);
    if (known !== undefined) return known;
    // A listener of the event itself may still answer it.
    function catchAll(this: GatewaySocket, ...args: unknown[]) {
      const run = () => listener.apply(this, args);
      guarded(run, (error) => report(this, error, String(args[0])))();
    }
    guardedCatchAlls.set(listener, catchAll);
    return catchAll;
  };
  const catchAlls = CATCH_ALLS.map((method) => [
    method,
    function add(this: GatewaySocket, listener?: Listener) {
      const own = listener === undefined ? [] : [guardedCatchAll(listener)];
      Reflect.apply(stock[method], this, own);
      return this;
    },
  ]);

  function use(this: GatewaySocket, middleware: Parameters<GatewaySocket['use']>[0]) {
    return stock.use.call(this, (packet, next) => {
      const [event, ...args] = packet;
      const run = () => middleware(packet, next);
      guarded(run, (error) => refuse(this, { error, event: String(event), args }, events))();
    });
  }
  function emit(this: GatewaySocket, event: string, ...args: unknown[]): boolean {
    const answered = args.at(-1);
    if (typeof answered === 'function') {
      const run = (...answer: unknown[]): unknown => Reflect.apply(answered, this, answer);
      args[args.length - 1] = guarded(run, (error) => report(this, error, event));
    }
    return Reflect.apply(stock.emit, this, [event, ...args]);
  }
  return { ...listeners, ...Object.fromEntries(catchAlls), use, emit };
};

/**
 * Puts the listeners and middleware that a team adds to a namespace behind the same guards as ours: one that throws or
 * rejects ends no process.
 */
export function guardNamespace(namespace: GatewayNamespace, events: GatewayEvents): void {
  const { on, prependListener } = namespace;
  const report: Report = (_, { error, event }) => events.failed(error, { event, namespace: namespace.name });
  Object.assign(namespace, guardedMethods({ on, prependListener }, report));

  const use = namespace.use.bind(namespace);
  namespace.use = (middleware) =>
    use((socket, next) => {
      guarded(
        () => middleware(socket, next),
        (error) => next(refusal(socket, error, events)),
      )();
    });
}

/** Checks what a client sends with its wish to join a namespace before any middleware looks at it. */
export function guardAuth(namespace: GatewayNamespace, events: GatewayEvents): void {
  namespace.use((socket, next) => {
    try {
      checkPayload(socket.handshake.auth, { name: 'The auth payload' });
    } catch (thrown) {
      return next(refusal(socket, thrown, events));
    }
    return next();
  });
}
