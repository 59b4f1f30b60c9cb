import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** A registry with the process and event-loop metrics of prom-client under their usual names. */
export const createRegistry = (labels: Record<string, string>): Registry => {
  const registry = new Registry();
  registry.setDefaultLabels(labels);
  collectDefaultMetrics({ register: registry });
  return registry;
};

/** Tells in metrics what `/readyz` says, where `draining` is the reason of a process that stops. */
export const registerReadiness = (registry: Registry, notReady: () => readonly string[]): void => {
  const registers = [registry];
  new Gauge({
    name: 'fanfare_ready',
    help: '1 while /readyz says yes',
    registers,
    collect() {
      this.set(notReady().length === 0 ? 1 : 0);
    },
  });
  new Gauge({
    name: 'fanfare_draining',
    help: '1 from the moment that the process is told to stop',
    registers,
    collect() {
      this.set(notReady().includes('draining') ? 1 : 0);
    },
  });
};

export const metricsText = async (registry: Registry): Promise<{ contentType: string; text: string }> => ({
  contentType: registry.contentType,
  text: await registry.metrics(),
});
