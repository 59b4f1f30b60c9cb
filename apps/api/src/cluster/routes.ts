import type { ClusterPublisher } from '@fanfare/cluster';
import { type ClusterResponse, clusterResponse, type NodeReport } from '@fanfare/protocol';
import { defineRoute, type Route } from '../http/route.ts';

/** What an operator should know about the cluster, a sentence each. */
export const clusterWarnings = (
  mode: ClusterPublisher['mode'],
  nodes: readonly Pick<NodeReport, 'node' | 'worker' | 'incarnation' | 'version'>[],
): string[] => {
  const warnings: string[] = [];
  if (mode === 'single') warnings.push('no Redis: nothing is logged, publishes are ephemeral');
  if (nodes.length === 0) warnings.push('no gateway is alive: nobody hears what is published');
  const workers = Map.groupBy(nodes, ({ node, worker }) => `"${node}" worker "${worker}"`);
  for (const [name, reports] of workers) {
    const incarnations = new Set(reports.map(({ incarnation }) => incarnation)).size;
    if (incarnations > 1) {
      warnings.push(`${incarnations} processes claim to be node ${name}: give every node its own id`);
    }
  }
  const versions = [...new Set(nodes.map(({ version }) => version))].sort();
  if (versions.length > 1) warnings.push(`nodes run different versions: ${versions.join(', ')}`);
  return warnings;
};

const EXAMPLE: ClusterResponse = {
  mode: 'redis',
  connections: 1200,
  users: 870,
  nodes: [
    {
      node: 'gateway-0',
      worker: '0',
      incarnation: '9f86d081884c7d65',
      version: '0.1.0',
      startedAt: 1_794_000_000_000,
      connections: 1200,
      users: 870,
      receivedPerSecond: 310.5,
      sentPerSecond: 4800,
    },
  ],
  warnings: [],
};

/** `GET /v1/cluster`. */
export const clusterRoutes = (deps: {
  publisher: Pick<ClusterPublisher, 'mode' | 'nodes'>;
  redisWarnings: () => Promise<string[]>;
}): Route[] => [
  defineRoute({
    method: 'get',
    path: '/v1/cluster',
    operation: 'getCluster',
    tag: 'Operations',
    summary: 'Nodes, connections, users and warnings',
    description:
      'What every living gateway process said of itself with its last heartbeat, how many different users they have ' +
      'together, and what an operator should know: ' +
      'no gateway alive, two processes with one node id, nodes of different versions, a Redis that may lose events.',
    access: 'read',
    answer: { schema: clusterResponse, description: 'The cluster as it is now.', example: EXAMPLE },
    errors: ['unavailable'],
    handle: async () => {
      const { mode } = deps.publisher;
      const [{ nodes, users }, ofRedis] = await Promise.all([deps.publisher.nodes(), deps.redisWarnings()]);
      const connections = nodes.reduce((sum, node) => sum + node.connections, 0);
      return { mode, connections, users, nodes, warnings: [...clusterWarnings(mode, nodes), ...ofRedis] };
    },
  }),
];
