import cluster from 'node:cluster';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { setupWorker } from '@socket.io/sticky';
import type { Server } from 'socket.io';
import type { WorkerStatus } from './pool.ts';

/** `@socket.io/sticky` 2.0.1 looks at this many characters of a session id and no more. */
const STICKY_SID_LENGTH = 20;

const STATUS_MS = 500;
/** Longest time between two statuses: the primary ends a worker that it does not hear of. */
const SIGN_OF_LIFE_MS = 2000;

/**
 * Takes connections from the primary. Our session ids end with the node, and sticky knows their first 20 characters
 * only. The primary is told of a session before its id is: told afterwards, as sticky does it, the client's next request
 * can get there first and be sent to another worker.
 */
export function takeConnections(io: Server, httpServer: HttpServer): void {
  const tell = (type: 'sticky:connection' | 'sticky:disconnection', sessionId: string) => {
    if (cluster.worker?.isConnected())
      cluster.worker.send({ type, data: sessionId.slice(0, STICKY_SID_LENGTH) });
  };
  const told = new WeakMap<IncomingMessage, string>();
  const generateId = io.engine.generateId.bind(io.engine);
  io.engine.generateId = (req: IncomingMessage) => {
    const sessionId = generateId(req);
    if (typeof sessionId !== 'string') return sessionId;
    tell('sticky:connection', sessionId);
    told.set(req, sessionId);
    return sessionId;
  };
  // A handshake that fails after its id was made becomes no connection, so nothing else would take it back.
  io.engine.on('connection_error', ({ req }: { req: IncomingMessage }) => {
    const sessionId = told.get(req);
    if (sessionId !== undefined) tell('sticky:disconnection', sessionId);
  });
  io.engine.on('connection', (connection: NodeJS.EventEmitter & { id: string }) => {
    connection.once('close', () => tell('sticky:disconnection', connection.id));
  });
  const facade: Server = Object.create(io, {
    httpServer: { value: httpServer },
    engine: { value: { on: () => undefined } },
  });
  setupWorker(facade);
}

/** Tells the primary whether this worker is ready, now, whenever that changes, and every other second. */
export function reportStatus(notReady: () => readonly string[]): Disposable {
  let told: string | undefined;
  let toldAt = 0;
  const tell = () => {
    const status: WorkerStatus = { source: 'fanfare', notReady: [...notReady()] };
    const text = JSON.stringify(status);
    const now = performance.now();
    if (text === told && now - toldAt < SIGN_OF_LIFE_MS) return;
    if (cluster.worker === undefined || !cluster.worker.isConnected()) return;
    told = text;
    toldAt = now;
    cluster.worker.send(status);
  };
  tell();
  const timer = setInterval(tell, STATUS_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
