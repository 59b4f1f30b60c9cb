import type { ClusterPublisher } from '@fanfare/cluster';
import { z } from 'zod';
import { clusterRoutes } from './cluster/routes.ts';
import { controlRoutes } from './control/routes.ts';
import type { ApiEvents } from './events.ts';
import { defineRoute, type Route } from './http/route.ts';
import { openApiRoute } from './openapi/document.ts';
import { publishRoutes } from './publish/routes.ts';
import { presenceRoute } from './rooms/presence-route.ts';
import { roomsRoutes } from './rooms/routes.ts';

const VERSION = '0.1.0';

const health = defineRoute({
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

/** Every route of the api, and the document that describes them; the busiest come first. */
export function createRoutes(deps: {
  publisher: ClusterPublisher;
  namespaces: readonly string[];
  events: ApiEvents;
  /** What is wrong with the settings of Redis, a sentence each. */
  redisWarnings: () => Promise<string[]>;
}): Route[] {
  const { publisher, namespaces, events, redisWarnings } = deps;
  const routes = [
    ...publishRoutes({ publisher, namespaces, events }),
    ...roomsRoutes({ log: publisher.log, namespaces }),
    presenceRoute({ presence: publisher.presence, namespaces }),
    ...controlRoutes({ publisher, namespaces }),
    ...clusterRoutes({ publisher, redisWarnings }),
    health,
  ];
  return [...routes, openApiRoute(routes, VERSION)];
}
