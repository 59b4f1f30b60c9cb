import { startWorkers, type WorkerPool, WorkerStartError } from '@fanfare/cluster';
import { createLogger, createOpsServer, listenOn, type Service, StartError } from '@fanfare/runtime';
import { AggregatorRegistry } from 'prom-client';
import type { GatewayConfig } from './config.ts';
import { createHttpServer } from './http/server.ts';

/**
 * The primary process of a node with several workers: it holds the two ports, hands each session to its worker and
 * replaces a worker that crashes. It parses nothing and holds no session itself.
 */
export async function createPrimary(config: GatewayConfig, program: string): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const log = createLogger({
    level: config.logLevel,
    bindings: { app: 'gateway', node: config.node, worker: 'primary' },
  });
  const metrics = new AggregatorRegistry();
  const http = createHttpServer(config.engine);
  let pool: WorkerPool | undefined;
  let draining = false;

  const notReady = () => [...(draining ? ['draining'] : []), ...(pool?.notReady() ?? ['starting'])];
  const ops = stack.use(
    createOpsServer({
      ...config.ops,
      notReady,
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.clusterMetrics() }),
    }),
  );
  const owned = stack.move();
  return {
    listen: async () => {
      pool = owned.use(
        await startWorkers({
          server: http,
          program: { exec: program, env: {} },
          count: config.workers,
          relay: config.redis === undefined,
          onSilence: (silent) => log.error(silent, 'worker stands still, ending it'),
          onDeath: (death) => log.error(death, 'worker died, replacing it'),
        }).catch(explain),
      );
      const port = await listenOn(http, { ...config.http, setting: 'FANFARE_PORT' });
      const opsPort = await ops.listen();
      log.info({ port, opsPort, pid: process.pid, workers: pool.pids }, 'listening');
    },
    drain: async () => {
      draining = true;
      log.info('draining');
      // The port stays open: polling sessions of workers that are still draining come in by it.
      await pool?.drain();
      http.close();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The worker has printed what is wrong. */
const explain = (error: unknown): never => {
  throw error instanceof WorkerStartError ? new StartError(error.message, { cause: error }) : error;
};
