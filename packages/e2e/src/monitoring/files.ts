import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const FOLDER = new URL('../../../../deploy/monitoring/', import.meta.url);

const readMonitoring = (path: string): Promise<string> => readFile(new URL(path, FOLDER), 'utf8');

const readYaml = async (path: string): Promise<unknown> => parse(await readMonitoring(path));

const alert = z.strictObject({
  alert: z.string().regex(/^Fanfare[A-Z][A-Za-z]+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[sm]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({ summary: z.string().max(120), runbook: z.string() }),
});
const rules = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(alert).min(1) })).min(1),
});

export const readAlerts = async () =>
  rules.parse(await readYaml('alerts.yml')).groups.flatMap((group) => group.rules);

const discovery = z.strictObject({
  names: z.array(z.string()).length(1),
  type: z.literal('A'),
  port: z.number(),
  refresh_interval: z.string(),
});
const prometheus = z.object({
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.strictObject({ job_name: z.string(), dns_sd_configs: z.array(discovery).length(1) }),
  ),
});

export const readPrometheus = async () => prometheus.parse(await readYaml('prometheus.yml'));

const datasources = z.object({ datasources: z.tuple([z.object({ uid: z.string(), url: z.string() })]) });

export const readDatasource = async () =>
  datasources.parse(await readYaml('grafana/datasources/prometheus.yml')).datasources[0];

const reference = z.strictObject({ type: z.literal('prometheus'), uid: z.string() });
const target = z.object({ refId: z.string(), datasource: reference, expr: z.string() });
const position = z.strictObject({ h: z.number(), w: z.number(), x: z.number(), y: z.number() });
const panel = z.discriminatedUnion('type', [
  z.object({ id: z.number(), type: z.literal('row'), title: z.string(), gridPos: position }),
  z.object({
    id: z.number(),
    type: z.enum(['stat', 'table', 'timeseries']),
    title: z.string(),
    description: z.string().min(10),
    gridPos: position,
    datasource: reference,
    targets: z.array(target).min(1),
  }),
]);
const dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.number(),
  panels: z.array(panel),
});

export const readDashboard = async () =>
  dashboard.parse(JSON.parse(await readMonitoring('grafana/dashboards/overview.json')));
