import { readFile } from 'node:fs/promises';
import { loadBoardConfig } from '@fanfare/board/config';
import { loadGatewayConfig } from '@fanfare/gateway/config';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { allowedConnections } from './checks/network.ts';
import { SECRETS } from './checks/references.ts';
import { replicasOf } from './checks/selectors.ts';
import { environmentOf } from './checks/settings.ts';
import type { Cluster } from './cluster.ts';
import { clusterOf, OVERLAYS, REPOSITORY, renderOverlay, workloadOf } from './overlays.ts';
import { findProblems } from './problems.ts';

const read = (path: string) => readFile(REPOSITORY + path, 'utf8');

const counts = (cluster: Cluster) =>
  Object.fromEntries(
    cluster.workloads.map((workload) => [workload.metadata.name, replicasOf(cluster, workload)]),
  );

const gatewayConfig = (cluster: Cluster) => {
  const pod = workloadOf(cluster, 'gateway');
  const [environment] = pod.spec.template.spec.containers.map((container) =>
    environmentOf(cluster, pod, container),
  );
  return loadGatewayConfig(environment ?? {});
};

/** Who talks to whom in every overlay; the board's database is anywhere. */
const OTHERS = { 'kube-system': [53], monitoring: [], elsewhere: [443], database: [5432] };
const CONNECTIONS = [
  'api -> kube-system:53',
  'api -> redis:6379',
  'database -> nginx:8080',
  'elsewhere -> nginx:8080',
  'gateway -> kube-system:53',
  'gateway -> redis:6379',
  'kube-system -> nginx:8080',
  'monitoring -> api:9091',
  'monitoring -> gateway:9090',
  'monitoring -> nginx:8080',
  'nginx -> api:3100',
  'nginx -> gateway:3000',
  'nginx -> kube-system:53',
];
const MORE_CONNECTIONS = {
  dev: [],
  prod: [],
  board: [
    'api -> database:5432',
    'board -> api:3100',
    'board -> database:5432',
    'board -> kube-system:53',
    'nginx -> board:3200',
  ],
} as const;

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  test('fits together and meets the schemas of Kubernetes', async () => {
    expect(findProblems(await renderOverlay(overlay))).toEqual([]);
  });

  test('lets only the connections through that the cluster needs', async () => {
    const connections = allowedConnections(await clusterOf(overlay), OTHERS);
    expect(connections.toSorted()).toEqual([...CONNECTIONS, ...MORE_CONNECTIONS[overlay]].toSorted());
  });

  test('names a gateway after its pod', async () => {
    expect(gatewayConfig(await clusterOf(overlay)).node).toBe('gateway-0');
  });
});

test('dev runs one of each, with the console page', async () => {
  const cluster = await clusterOf('dev');
  expect(counts(cluster)).toEqual({ gateway: 1, api: 1, nginx: 1, redis: 1 });
  expect(gatewayConfig(cluster).console).toBe(true);
});

test('board runs one of each and the example product, with its sample data', async () => {
  const cluster = await clusterOf('board');
  expect(counts(cluster)).toEqual({ gateway: 1, api: 1, nginx: 1, redis: 1, board: 1 });
  const pod = workloadOf(cluster, 'board');
  const [environment] = pod.spec.template.spec.containers.map((one) => environmentOf(cluster, pod, one));
  expect(loadBoardConfig(environment ?? {})).toMatchObject({
    sampleData: true,
    cluster: { url: 'http://api:3100' },
  });
});

test('prod runs three gateways, two apis and two nginx, without the console page', async () => {
  const cluster = await clusterOf('prod');
  expect(counts(cluster)).toEqual({ gateway: 3, api: 2, nginx: 2, redis: 1 });
  expect(gatewayConfig(cluster).console).toBe(false);
});

test('the nginx.conf of Kubernetes is that of the repository', async () => {
  const isCopy = (await read('k8s/base/nginx.conf')) === (await read('nginx.conf'));
  expect(isCopy, 'run: cp nginx.conf k8s/base/nginx.conf').toBe(true);
});

test.each([
  ['dev', []],
  ['board', ['board']],
] as const)('%s runs the images of docker-compose.yml', async (overlay, more) => {
  const compose = z
    .object({
      services: z.record(
        z.string(),
        z.object({ image: z.string(), profiles: z.array(z.string()).optional() }),
      ),
    })
    .parse(parse(await read('docker-compose.yml'), { merge: true }));
  const { workloads } = await clusterOf(overlay);
  const images = workloads.flatMap(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
  expect(images.toSorted()).toEqual(
    Object.entries(compose.services)
      .filter(([name, { profiles }]) => profiles === undefined || more.some((one) => one === name))
      .map(([, { image }]) => image)
      .toSorted(),
  );
});

test('k8s/README.md makes every key of the Secret', async () => {
  const readme = await read('k8s/README.md');
  for (const [name, keys] of Object.entries(SECRETS)) {
    expect(readme).toContain(`secret generic ${name}`);
    for (const key of keys) expect(readme).toContain(`--from-literal=${key}=`);
  }
});
