import cluster from 'node:cluster';
import { runMain } from '@fanfare/runtime';
import { loadGatewayConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createPrimary } from './primary.ts';

await runMain({
  load: loadGatewayConfig,
  start: (config) =>
    cluster.isPrimary && config.workers > 1
      ? createPrimary(config, import.meta.filename)
      : createGateway(config),
});
