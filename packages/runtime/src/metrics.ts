import { collectDefaultMetrics, Registry } from 'prom-client';

/** A registry with the process and event-loop metrics of prom-client under their usual names. */
export const createRegistry = (labels: Record<string, string>): Registry => {
  const registry = new Registry();
  registry.setDefaultLabels(labels);
  collectDefaultMetrics({ register: registry });
  return registry;
};

export const metricsText = async (registry: Registry): Promise<{ contentType: string; text: string }> => ({
  contentType: registry.contentType,
  text: await registry.metrics(),
});
