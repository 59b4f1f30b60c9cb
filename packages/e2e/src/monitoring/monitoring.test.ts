import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadApiConfig } from '@fanfare/api/config';
import { loadGatewayConfig } from '@fanfare/gateway/config';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../docs/documents.ts';
import { anchorsOf } from '../docs/markdown.ts';
import { type Metrics, scrapedMetrics } from '../docs/metrics-tables.ts';
import { readAlerts, readDashboard, readDatasource, readPrometheus } from './files.ts';
import { type Selector, selectorsOf } from './promql.ts';

const RUNBOOK = 'docs/operations.md';
/** What Prometheus adds to every series, and makes itself. */
const ADDED_LABELS = ['job', 'instance'];
const OWN_SERIES: Readonly<Record<string, readonly string[]>> = {
  up: [],
  ALERTS: ['alertname', 'alertstate', 'severity'],
};

let jobs: Readonly<Record<string, Metrics>>;
beforeAll(async () => {
  jobs = await scrapedMetrics();
});

/** The dashboard's variable is as long as Grafana thinks fit. */
const expanded = (query: string): string => query.replaceAll('$__rate_interval', '5m');

const problemOf = ({ metric, labels, equals }: Selector): string | undefined => {
  const asked = equals.job === undefined ? Object.values(jobs) : [jobs[equals.job]];
  const having = asked.filter((job) => job?.names.has(metric));
  const own = OWN_SERIES[metric];
  if (having.length === 0 && !own) return `no process exports ${metric}`;
  const known = new Set([
    ...ADDED_LABELS,
    ...(own ?? []),
    ...having.flatMap((job) => [...(job?.labelsOf(metric) ?? [])]),
  ]);
  const strange = labels.filter((label) => !known.has(label));
  return strange.length === 0 ? undefined : `${metric} has no label ${strange.join(', ')}`;
};

const problemsOf = (queries: readonly { at: string; query: string }[]): string[] =>
  queries.flatMap(({ at, query }) =>
    selectorsOf(expanded(query)).flatMap((selector) => {
      const problem = problemOf(selector);
      return problem === undefined ? [] : `${at}: ${problem}`;
    }),
  );

describe('the alert rules', () => {
  test('ask only for metrics and labels that the processes export', async () => {
    const alerts = await readAlerts();
    expect(problemsOf(alerts.map(({ alert, expr }) => ({ at: alert, query: expr })))).toEqual([]);
    expect(alerts.length).toBeGreaterThan(10);
  });

  test('lead to a section of docs/operations.md each, and every section of an alert has its rule', async () => {
    const alerts = await readAlerts();
    const text = await readFile(join(ROOT, RUNBOOK), 'utf8');
    const anchors = anchorsOf(text);
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`${RUNBOOK}#${alert.toLowerCase()}`);
      expect([...anchors], alert).toContain(alert.toLowerCase());
    }
    const sections = [...text.matchAll(/^#+ (Fanfare\w+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(alerts.map(({ alert }) => alert));
  });

  test('group by every label that their summaries tell', async () => {
    for (const { alert, expr, annotations } of await readAlerts()) {
      const told = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
      // What stands on the other side of an operator keeps or drops nothing of this one.
      const aggregates = /^\s*(?:histogram_quantile\([^,]+,\s*)?(?:sum|max|min)\b/.test(expr);
      const kept = aggregates ? (/\bby \(([^)]*)\)/.exec(expr)?.[1] ?? '').split(/, */) : undefined;
      if (kept) expect(kept, alert).toEqual(expect.arrayContaining(told));
    }
  });
});

describe('the dashboard', () => {
  test('asks only for metrics and labels that the processes export', async () => {
    const { panels } = await readDashboard();
    const queries = panels.flatMap((panel) =>
      panel.type === 'row' ? [] : panel.targets.map(({ expr }) => ({ at: panel.title, query: expr })),
    );
    expect(problemsOf(queries)).toEqual([]);
    expect(queries.length).toBeGreaterThan(30);
  });

  test('reads the one data source, and its panels do not lie on one another', async () => {
    const { panels } = await readDashboard();
    const { uid } = await readDatasource();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const panel of panels) {
      if (panel.type !== 'row') {
        const uids = [panel.datasource, ...panel.targets.map(({ datasource }) => datasource)].map(
          (one) => one.uid,
        );
        expect(new Set(uids)).toEqual(new Set([uid]));
      }
      const { x, y, w, h } = panel.gridPos;
      expect(x + w).toBeLessThanOrEqual(24);
      const others = panels.filter(({ id }) => id !== panel.id).map(({ gridPos }) => gridPos);
      expect(others.filter((b) => b.x < x + w && x < b.x + b.w && b.y < y + h && y < b.y + b.h)).toEqual([]);
    }
  });
});

test('Prometheus scrapes the ops ports of the services, under the job names that the queries use', async () => {
  const compose = z
    .object({ services: z.record(z.string(), z.object({ networks: z.array(z.string()).default([]) })) })
    .parse(parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }));
  const ports = {
    gateway: loadGatewayConfig({ FANFARE_NODE_ID: 'n1', FANFARE_TOKEN_SECRET: 'x'.repeat(32) }).ops.port,
    api: loadApiConfig({ REDIS_URL: 'redis://r:1', FANFARE_API_KEYS: `a:${'x'.repeat(16)}` }).ops.port,
  };
  const { rule_files, scrape_configs } = await readPrometheus();
  expect(rule_files).toEqual(['alerts.yml']);
  const scraped = scrape_configs.map(({ job_name, dns_sd_configs: [found] }) => [
    job_name,
    found?.names[0],
    found?.port,
  ]);
  expect(scraped).toEqual([
    ['gateway', 'gateway', ports.gateway],
    ['api', 'api', ports.api],
  ]);
  const of = (service: string) => compose.services[service]?.networks ?? [];
  for (const service of ['gateway', 'api']) {
    expect(of('prometheus').filter((network) => of(service).includes(network))).toEqual(['ops']);
  }
  expect((await readDatasource()).url).toBe('http://prometheus:9090');
});

test('a query that is misspelt is told', () => {
  expect(() => selectorsOf('sum(rate(a[5m])')).toThrow(SyntaxError);
  const [selector] = selectorsOf('sum by (x) (rate(nothing_total{y!="1",job="api"}[5m]))');
  expect(selector).toEqual({ metric: 'nothing_total', labels: ['y', 'job', 'x'], equals: { job: 'api' } });
  expect(problemsOf([{ at: 'here', query: 'nothing_total' }])).toEqual([
    'here: no process exports nothing_total',
  ]);
});
