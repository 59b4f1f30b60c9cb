import type { ClusterPublisher } from '@fanfare/cluster';
import { z } from 'zod';
import { clusterRoutes } from './cluster/routes.ts';
import type { ApiEvents } from './events.ts';
import { type Route, readRoute } from './http/route.ts';
import { openApiRoute } from './openapi/document.ts';
import { publishRoutes } from './publish/routes.ts';

const VERSION = '0.1.0';

const health = readRoute({
  method: 'get',
  path: '/api/health',
  operation: 'getHealth',
  tag: 'Operations',
  summary: 'Whether the process answers',
  description: 'For load balancers; whether it can publish stands in /readyz of the ops port.',
  access: 'open',
  answer: {
    schema: z.object({ status: z.literal('ok') }),
    description: 'It does.',
    example: { status: 'ok' },
  },
  errors: [],
  handle: async () => ({ status: 'ok' as const }),
});

/** Every route of the api, and the document that describes them. */
export function createRoutes(deps: {
  publisher: ClusterPublisher;
  namespaces: readonly string[];
  events: ApiEvents;
}): Route[] {
  const { publisher, namespaces, events } = deps;
  const routes = [
    ...publishRoutes({ publisher, namespaces, observe: events.published }),
    ...clusterRoutes({ publisher }),
    health,
  ];
  return [...routes, openApiRoute(routes, VERSION)];
}
