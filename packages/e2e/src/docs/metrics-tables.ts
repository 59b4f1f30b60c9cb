import { loadGatewayConfig } from '@fanfare/gateway/config';
import { createGateway } from '@fanfare/gateway/gateway';
import { createCredentials } from '@fanfare/local';
import { eventually, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { apiText, NO_REDIS, SETTINGS } from './api-text.ts';
import { code, table } from './markdown.ts';

/** Labels that every metric of a process has, and those of its buckets. */
const COMMON_LABELS: ReadonlySet<string> = new Set(['app', 'node', 'worker', 'le']);
/** The default metrics of prom-client differ from one operating system to the next. */
const DEFAULTS = /^(process|nodejs)_/;

const labelsOf = (text: string, metric: string): string[] => {
  const samples = text.matchAll(new RegExp(`^${metric}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm'));
  const labels = [...samples].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
  );
  return [...new Set(labels)].filter((label) => !COMMON_LABELS.has(label));
};

/** The table of what a Prometheus would read. */
const tableOf = (text: string): string =>
  table(
    ['Metric', 'Type', 'Labels', 'What it says'],
    [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)]
      .filter(([, name = '']) => !DEFAULTS.test(name))
      .map(([, name = '', help = '', type = '']) => [
        code(name),
        type,
        labelsOf(text, name).map(code).join(', '),
        help,
      ]),
  );

/** What a Prometheus would read of one process. */
export interface Metrics {
  /** Every series name, those of histograms with their suffixes. */
  names: ReadonlySet<string>;
  /** The labels of a series, those of every metric of the process among them. */
  labelsOf(series: string): ReadonlySet<string>;
}

const metricsOf = (text: string): Metrics => {
  const series = new Map<string, Set<string>>();
  for (const [, name = '', inside = ''] of text.matchAll(/^(\w+)\{(.*)\} /gm)) {
    const labels = series.get(name) ?? new Set();
    for (const [, label = ''] of inside.matchAll(/(\w+)="/g)) labels.add(label);
    series.set(name, labels);
  }
  return { names: new Set(series.keys()), labelsOf: (name) => series.get(name) ?? new Set() };
};

const scrape = async (opsPort: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();

/** What a real gateway exports after a visit that gives every label a value. */
async function gatewayText(): Promise<string> {
  const { tokenSecret, issueToken } = createCredentials(['/']);
  const env = { ...SETTINGS, REDIS_URL: NO_REDIS, FANFARE_NODE_ID: 'n1', FANFARE_TOKEN_SECRET: tokenSecret };
  await using gateway = await createGateway(loadGatewayConfig(env));
  await gateway.listen();
  const socket = io(`http://127.0.0.1:${gateway.ports.http}`, {
    auth: { token: await issueToken() },
    forceNew: true,
  });
  try {
    await nextEvent(socket, 'connect');
    await socket.timeout(5000).emitWithAck('no such event', {});
  } finally {
    socket.disconnect();
  }
  return await eventually(async () => {
    const text = await scrape(gateway.ports.ops);
    if (!text.includes('reason="')) throw new Error('the disconnect is not counted yet');
    return text;
  });
}

/** The metrics of a real gateway. */
export const gatewayMetricsTable = async (): Promise<string> => tableOf(await gatewayText());

/** The metrics of a real api process. */
export const apiMetricsTable = async (): Promise<string> => tableOf(await apiText('ops', '/metrics'));

/** The same as a Prometheus reads them, by the name of the job. */
export const scrapedMetrics = async (): Promise<Readonly<Record<'gateway' | 'api', Metrics>>> => ({
  gateway: metricsOf(await gatewayText()),
  api: metricsOf(await apiText('ops', '/metrics')),
});
