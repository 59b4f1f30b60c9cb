import cluster from 'node:cluster';
import type { Server as HttpServer } from 'node:http';
import { setupWorker } from '@socket.io/sticky';
import type { Server } from 'socket.io';
import type { WorkerStatus } from './pool.ts';

/** `@socket.io/sticky` 2.0.1 looks at this many characters of a session id and no more. */
const STICKY_SID_LENGTH = 20;

const STATUS_MS = 500;

/** The part of an Engine.IO server and its sockets that sticky's `setupWorker` uses. */
interface StickyEngine {
  on(
    event: 'connection',
    listener: (socket: { id: string; once: NodeJS.EventEmitter['once'] }) => void,
  ): void;
}

/**
 * Takes connections from the primary. Our session ids end with the node, and sticky knows their first 20 characters
 * only, so it is shown ids of that length.
 */
export function takeConnections(io: Server, httpServer: HttpServer): void {
  const engine: StickyEngine = {
    on: (event, listener) => {
      io.engine.on(event, (socket: { id: string; once: NodeJS.EventEmitter['once'] }) => {
        listener({ id: socket.id.slice(0, STICKY_SID_LENGTH), once: socket.once.bind(socket) });
      });
    },
  };
  const facade: Server = Object.create(io, { httpServer: { value: httpServer }, engine: { value: engine } });
  setupWorker(facade);
}

/** Tells the primary whether this worker is ready, now and whenever that changes. */
export function reportStatus(notReady: () => readonly string[]): Disposable {
  let told: string | undefined;
  const tell = () => {
    const status: WorkerStatus = { source: 'fanfare', notReady: [...notReady()] };
    const text = JSON.stringify(status);
    if (text === told || cluster.worker === undefined || !cluster.worker.isConnected()) return;
    told = text;
    cluster.worker.send(status);
  };
  tell();
  const timer = setInterval(tell, STATUS_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
