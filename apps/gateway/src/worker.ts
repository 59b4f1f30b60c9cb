import type { Server as HttpServer } from 'node:http';
import { reportStatus, takeConnections } from '@fanfare/cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { GatewayServer } from './socket/server.ts';

/** Takes connections from the primary, and tells it of this worker: its metrics when asked, and whether it is ready. */
export const serveAsWorker = (deps: {
  http: HttpServer;
  io: GatewayServer;
  registry: Registry;
  notReady: () => string[];
}): Disposable => {
  const { http, io, registry, notReady } = deps;
  AggregatorRegistry.setRegistries(registry);
  // Answers the primary when it gathers the metrics of its workers.
  new AggregatorRegistry();
  // Node looks for slow requests on a server that listens; this one is handed its connections.
  http.emit('listening');
  takeConnections(io, http);
  return reportStatus(notReady);
};
