import type { Socket } from 'socket.io';
import { type Operation, type Payload, type Tick, UNTIMED } from './program.ts';
import type { NamedServer } from './twin-servers.ts';

/** Runs the ticks, with the gap of each between it and the next one. */
export function runTicks(
  ticks: ReadonlyArray<Tick>,
  timerMs: number,
  run: (operations: ReadonlyArray<Operation>) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (index: number) => {
      const tick = ticks[index];
      if (tick === undefined) return resolve();
      const goOn = () => next(index + 1);
      try {
        // An immediate made before the operations make theirs runs in the same iteration, before the flush.
        if (tick.gap === 'beforeFlush') setImmediate(goOn);
        run(tick.operations);
      } catch (error) {
        return reject(error);
      }
      if (tick.gap === 'none') goOn();
      else if (tick.gap === 'nextTick') process.nextTick(goOn);
      else if (tick.gap === 'microtask') queueMicrotask(goOn);
      else if (tick.gap === 'immediate') setImmediate(goOn);
      else if (tick.gap === 'timer') setTimeout(goOn, timerMs);
    };
    setImmediate(next, 0);
  });
}

/** What the application itself got to see of each client, and how to stop looking. */
export class Log {
  readonly #entries: { readonly who: string; readonly what: string }[] = [];
  readonly #stops: (() => void)[] = [];

  add(who: string, what: string): void {
    this.#entries.push({ who, what });
  }

  entriesOf(who: string): string[] {
    return this.#entries.filter((entry) => entry.who === who).map((entry) => entry.what);
  }

  onStop(stop: () => void): void {
    this.#stops.push(stop);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}

export function execute(operation: Operation, server: NamedServer, log: Log): void {
  switch (operation.type) {
    case 'broadcast':
      broadcast(operation, server);
      break;
    case 'emit':
      emit(operation, server);
      break;
    case 'join':
      server.find(operation.client, operation.namespace)?.join(operation.room);
      break;
    case 'leave':
      server.find(operation.client, operation.namespace)?.leave(operation.room);
      break;
    case 'disconnect':
      server.find(operation.client, operation.namespace)?.disconnect(operation.close);
      break;
    case 'disconnectRoom':
      server.io.in(operation.room).disconnectSockets(operation.close);
      break;
    case 'listen':
      listen(server, operation, log);
      break;
    default:
      useConnection(operation, server, log);
  }
}

function broadcast(operation: Operation & { type: 'broadcast' }, server: NamedServer): void {
  const { flags, payload } = operation;
  const sender = operation.from === null ? undefined : server.find(operation.from, operation.namespace);
  let target = sender?.broadcast ?? server.io.of(operation.namespace).compress(flags.compress);
  for (const room of operation.to) target = target.to(room);
  if (operation.except.length > 0) target = target.except([...operation.except]);
  if (operation.isLocal) target = target.local;
  if (flags.isVolatile) target = target.volatile.except(UNTIMED);
  if (flags.isAcked) target.timeout(20).emit('ask', ...toArguments(payload), () => {});
  else target.emit('event', ...toArguments(payload));
}

function emit(operation: Operation & { type: 'emit' }, server: NamedServer): void {
  const socket = server.find(operation.client, operation.namespace);
  if (socket === undefined) return;
  const { flags, payload } = operation;
  let target: Socket = socket.compress(flags.compress);
  if (flags.isVolatile && socket.data.isTimed) target = target.volatile;
  if (flags.isAcked) target.timeout(20).emit('ask', ...toArguments(payload), () => {});
  else target.emit('event', ...toArguments(payload));
}

function toArguments({ kind, parts }: Payload): unknown[] {
  return kind === 'text' ? [...parts] : parts.map((part) => ({ bytes: Buffer.from(part) }));
}

function listen(server: NamedServer, { client, effect }: Operation & { type: 'listen' }, log: Log): void {
  const socket = server.find(client);
  // Whether a polling client is still there to be sent something depends on when it polls.
  if (socket?.data.isTimed !== true) return;
  const listener = (event: string, ...args: unknown[]) => {
    log.add(client, `sends ${event} ${JSON.stringify(args).replace(OFFSET, '').slice(0, 200)}`);
    if (effect === 'log') return;
    for (const other of server.io.of('/').sockets.values()) {
      if (other === socket) continue;
      if (effect === 'leave') other.leave('a');
      else other.join('b');
    }
  };
  socket.onAnyOutgoing(listener);
  log.onStop(() => socket.offAnyOutgoing(listener));
}

/** The offset that connection state recovery adds to each packet: the time, so not the same on two servers. */
const OFFSET = /,?"[\w-]{7,8}(\.[\w-]+)?"(?=\]$)/;

type ConnectionOperation = Operation & {
  type: 'watch' | 'engineSend' | 'ping' | 'closeConnection' | 'discardConnection' | 'close' | 'terminate';
};

function useConnection({ type, client }: ConnectionOperation, server: NamedServer, log: Log): void {
  const socket = server.find(client);
  if (socket === undefined) return;
  const { conn } = socket;
  const webSocket: unknown = Reflect.get(conn.transport, 'socket');
  if (type === 'watch') {
    const listener = (packet: { type: string }) => log.add(client, `packet ${packet.type}`);
    conn.on('packetCreate', listener);
    log.onStop(() => conn.off('packetCreate', listener));
  } else if (type === 'engineSend') {
    conn.send('2["raw"]', {}, () => socket.data.isTimed && log.add(client, 'sent'));
  } else if (type === 'closeConnection') {
    conn.close();
  } else if (type === 'discardConnection') {
    if (socket.data.isTimed) conn.close(true);
  } else if (socket.data.isTimed && typeof webSocket === 'object' && webSocket !== null) {
    const method: unknown = Reflect.get(webSocket, type);
    if (typeof method === 'function') method.call(webSocket);
  }
}
