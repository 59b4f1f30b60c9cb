import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requestStop, StartError } from './run-service.ts';

export interface OpsServer extends AsyncDisposable {
  /** Resolves with the port, which differs from the asked one when that was 0. */
  listen(): Promise<number>;
}

const send = (res: ServerResponse, status: number, type: string, body: string): void => {
  res.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
};

/** Listens, or rejects with a `StartError` that names the port and the way out. */
export const listenOn = async (
  server: {
    listen(options: { port: number; host: string; exclusive: boolean }): unknown;
    once: NodeJS.EventEmitter['once'];
    off: NodeJS.EventEmitter['off'];
    address(): AddressInfo | string | null;
  },
  where: { host: string; port: number; setting: string },
): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(StartError.fromListen(error, where));
    server.once('error', fail);
    server.once('listening', () => {
      server.off('error', fail);
      resolve();
    });
    // In a cluster worker too the port is the worker's own, not one that the primary shares out.
    server.listen({ port: where.port, host: where.host, exclusive: true });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : where.port;
};

/**
 * The private port of a process: `/livez` (the event loop turns), `/readyz` (200, or 503 with the reasons),
 * `/metrics` (Prometheus text), `POST /drain` (stops the process as SIGTERM does).
 */
export function createOpsServer(options: {
  host: string;
  port: number;
  /** Why the process is not ready; empty when it is. */
  notReady: () => readonly string[];
  /** What does not work although it is ready, as nothing that asks it for something needs it. Default: nothing. */
  warnings?: () => readonly string[];
  metrics: () => Promise<{ contentType: string; text: string }>;
}): OpsServer {
  const server = createServer((req, res) => {
    const path = (req.url ?? '/').split('?')[0];
    if (path === '/drain') {
      if (req.method !== 'POST') return send(res, 405, 'application/json', '{"use":"POST"}');
      requestStop();
      return send(res, 202, 'application/json', '{"draining":true}');
    }
    if (path === '/livez') return send(res, 200, 'application/json', '{"alive":true}');
    if (path === '/readyz') {
      const reasons = options.notReady();
      const warnings = options.warnings?.() ?? [];
      return send(
        res,
        reasons.length === 0 ? 200 : 503,
        'application/json',
        JSON.stringify({ ready: reasons.length === 0, reasons, ...(warnings.length > 0 && { warnings }) }),
      );
    }
    if (path === '/metrics') {
      options.metrics().then(
        ({ contentType, text }) => send(res, 200, contentType, text),
        (error: unknown) => send(res, 500, 'text/plain', String(error)),
      );
      return;
    }
    send(res, 404, 'application/json', '{"routes":["/livez","/readyz","/metrics","/drain"]}');
  });
  return {
    listen: () => listenOn(server, { host: options.host, port: options.port, setting: 'FANFARE_OPS_PORT' }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
