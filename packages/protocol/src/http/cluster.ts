import { z } from 'zod';

/** What one worker process of a node says of itself with every heartbeat. */
export const nodeReport = z
  .object({
    node: z.string().describe('Id of the node; it ends the session ids of its sockets'),
    worker: z.string().describe('Which process of the node'),
    incarnation: z.string().describe('Random for each start of the process'),
    version: z.string(),
    startedAt: z.number().describe('ms since 1970'),
    connections: z.int(),
    users: z.int().default(0).describe('Users with a socket here; each socket without a token is one'),
    receivedPerSecond: z.number().describe('Events from clients, mean since the last heartbeat'),
    sentPerSecond: z.number().describe('Packets to clients, mean since the last heartbeat'),
  })
  .meta({ id: 'NodeReport' });
export type NodeReport = z.infer<typeof nodeReport>;

/** `GET /v1/cluster` */
export const clusterResponse = z
  .object({
    mode: z.enum(['redis', 'single']).describe('single: workers of one machine, nothing is logged'),
    connections: z.int().describe('Sockets connected to all nodes'),
    users: z
      .int()
      .describe(
        'Different users on all nodes; with several processes an estimate, off by 1 or 2 % at most times',
      ),
    nodes: z.array(nodeReport),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'ClusterResponse' });
export type ClusterResponse = z.infer<typeof clusterResponse>;
