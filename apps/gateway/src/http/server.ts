import { createServer, type RequestListener, type Server } from 'node:http';
import type { EngineConfig } from '../socket/settings.ts';

/** How often requests that take too long are looked for, in ms. */
const CHECK_MS = 1000;

/** The HTTP server of the public port: who sends slowly or connects without end does not hold it. */
export function createHttpServer(engine: EngineConfig, listener?: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: engine.headersTimeoutMs,
      requestTimeout: engine.requestTimeoutMs,
      keepAliveTimeout: engine.keepAliveMs,
      maxHeaderSize: engine.maxHeaderBytes,
      connectionsCheckingInterval: Math.min(CHECK_MS, engine.headersTimeoutMs / 2),
    },
    listener,
  );
  server.maxConnections = engine.maxConnections;
  return server;
}
