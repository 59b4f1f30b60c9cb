import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  DEFAULT_RETENTION,
  redisCaFile,
  redisConflicts,
  redisTarget,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { namespaceName, nodeId } from '@fanfare/protocol';
import {
  commaList,
  type Env,
  flag,
  LOG_LEVELS,
  parseEnv,
  portConflicts,
  Secret,
  secret,
  wholeNumber,
} from '@fanfare/runtime';
import { z } from 'zod';
import { proxyProblem } from './admission/client-address.ts';
import { originProblem } from './admission/origin.ts';
import { identityConflicts, identityOf, identitySettings } from './identity/settings.ts';
import { limitSettings, readLimits } from './limits/settings.ts';
import { engineConflicts, engineSettings, readEngine } from './socket/settings.ts';

/** Part of the shutdown time that is not for closing connections, in ms. */
export const RESERVED_MS = 3000;

/** A comma-separated list whose items a function finds nothing wrong with. */
const listOf = (problemOf: (item: string) => string | undefined) =>
  commaList.superRefine((items, context) => {
    for (const item of items) {
      const message = problemOf(item);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    }
  });

/** Whether a path leads to a file or a folder now. */
const leadsTo =
  (kind: 'isFile' | 'isDirectory') =>
  (path: string): boolean => {
    try {
      return statSync(path)[kind]();
    } catch {
      return false;
    }
  };

const API_URL_EXPECTED = 'expected a URL without a path, like http://127.0.0.1:3100';

/** Every setting of a gateway node, as it stands in the environment. */
export const gatewaySettings = z.object({
  FANFARE_NODE_ID: nodeId
    .optional()
    .describe('Id of this node, unique in the cluster; ends every session id. Default: the host name'),
  FANFARE_HOST: z.string().default('0.0.0.0').describe('Address of the public port'),
  FANFARE_PORT: wholeNumber(0, 65_535)
    .default(3000)
    .describe('Public port: Socket.IO and HTTP; 0 takes a free one'),
  FANFARE_OPS_HOST: z.string().default('0.0.0.0').describe('Address of the ops port; keep it private'),
  FANFARE_OPS_PORT: wholeNumber(0, 65_535)
    .default(9090)
    .describe('Ops port: /livez, /readyz, /metrics; 0 takes a free one'),
  FANFARE_WORKERS: wholeNumber(1, 256)
    .default(1)
    .describe('Worker processes of this node; a session stays on its worker'),
  FANFARE_WORKER: z
    .string()
    .max(20)
    .default('0')
    .describe('Which worker this is; set by the primary process of a node'),
  REDIS_URL: redisUrl
    .optional()
    .describe('The Redis that the nodes share; without it this machine is the whole cluster'),
  FANFARE_REDIS_CA_FILE: redisCaFile
    .optional()
    .describe('PEM file of the authority of a Redis with TLS (rediss://…), where it is a private one'),
  FANFARE_REDIS_SENTINEL_PASSWORD: secret(1)
    .optional()
    .describe('Password that the sentinels ask for; that of the Redis servers stands in REDIS_URL'),
  FANFARE_REDIS_SENTINEL_USER: z
    .string()
    .optional()
    .describe('User of the sentinels, where they have others than the default one'),
  FANFARE_RETENTION: retentionRules
    .default(retentionRules.parse(DEFAULT_RETENTION))
    .describe(
      `How much of each room's past is kept, the same on every process: pattern=events/bytes/age, … Default: ${DEFAULT_RETENTION}`,
    ),
  FANFARE_PRESENCE: flag
    .default(true)
    .describe('Whether the cluster knows who is in a room; off saves a write per user and room'),
  FANFARE_PRESENCE_GRACE_MS: wholeNumber(0, 60_000)
    .default(3000)
    .describe(
      'How long a user stays a member after their last socket has left, in ms: a reload shows nothing',
    ),
  FANFARE_PRESENCE_LIST_MAX: wholeNumber(0, 1000)
    .default(100)
    .describe(
      'Largest room in which it is told who came and went, the same on every node; in a larger one the count is',
    ),
  ...identitySettings,
  FANFARE_NAMESPACES: commaList
    .pipe(z.array(namespaceName))
    .default(['/'])
    .describe('Namespaces, separated by commas; clients cannot create others'),
  FANFARE_CORS_ORIGINS: listOf(originProblem)
    .default([])
    .describe(
      'Origins whose pages may connect, by websocket and polling alike, separated by commas; pages of the same host always may; * for all, in development only',
    ),
  FANFARE_CORS_CREDENTIALS: flag.default(false).describe('Whether those pages may send cookies'),
  FANFARE_TRUSTED_PROXIES: listOf(proxyProblem)
    .default([])
    .describe(
      'Proxies whose X-Forwarded-For is believed: addresses, CIDR ranges, loopback, linklocal, uniquelocal, separated by commas',
    ),
  FANFARE_HANDLERS: z
    .string()
    .refine(leadsTo('isFile'), 'expected the path of a file that exists')
    .optional()
    .describe("Path of a module with a team's own Socket.IO handlers"),
  FANFARE_PAGES: z
    .string()
    .refine(leadsTo('isDirectory'), 'expected the path of a folder that exists')
    .optional()
    .describe('Folder of static pages to serve at /'),
  FANFARE_CONSOLE: flag.default(false).describe('Serve the console page at /; for development'),
  FANFARE_API_URL: z
    .url({ protocol: /^http$/, error: API_URL_EXPECTED })
    .regex(/^http:\/\/[^/?#]+\/?$/i, API_URL_EXPECTED)
    .optional()
    .describe('Forward /v1 and /docs to this api; for a machine that has no nginx in front'),
  FANFARE_PRE_STOP_MS: wholeNumber(0, 600_000)
    .default(0)
    .describe(
      'Wait between SIGTERM and the first closed connection, in ms: time for a load balancer to notice',
    ),
  FANFARE_DRAIN_PER_SECOND: wholeNumber(1, 1_000_000)
    .default(200)
    .describe('Most connections that a stopping node closes in a second; they come back to the other nodes'),
  FANFARE_SESSION_EXPIRING_MS: wholeNumber(0, 3_600_000)
    .default(30_000)
    .describe(
      'How long before its token expires a client is told, in ms; at most a quarter of the life of the token',
    ),
  FANFARE_SESSION_GRACE_MS: wholeNumber(0, 600_000)
    .default(25_000)
    .describe('How long a connection without rooms waits for a new token after the old one expired, in ms'),
  FANFARE_SOCKET_ROOMS: flag
    .default(true)
    .describe(
      'Let emitters on other nodes address a socket by its id; off saves a subscription for each connection',
    ),
  FANFARE_FANOUT: flag
    .default(true)
    .describe(
      'Deliver broadcasts through @fanfare/fanout; off leaves them to stock Socket.IO, for comparison',
    ),
  ...engineSettings,
  ...limitSettings,
  FANFARE_SHUTDOWN_MS: wholeNumber(RESERVED_MS, 3_600_000)
    .default(60_000)
    .describe('Longest time between SIGTERM and the end of the process, in ms'),
  LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .default('info')
    .describe(`Least level that is logged: ${LOG_LEVELS.join(', ')}`),
});

export type GatewayConfig = ReturnType<typeof loadGatewayConfig>;

const hostNodeId = hostname().toLowerCase();

const conflicts = (given: Readonly<Record<string, string>>): string[] => {
  const problems = [...engineConflicts(given), ...portConflicts(given, { public: '3000', ops: '9090' })];
  if (given.FANFARE_NODE_ID === undefined && !nodeId.safeParse(hostNodeId).success) {
    problems.push(
      `FANFARE_NODE_ID is not set and the host name "${hostNodeId}" cannot serve as one: set it to lower-case letters, digits and dashes`,
    );
  }
  const preStopMs = Number(given.FANFARE_PRE_STOP_MS ?? 0);
  const shutdownMs = Number(given.FANFARE_SHUTDOWN_MS ?? 60_000);
  if (shutdownMs >= RESERVED_MS && preStopMs > shutdownMs - RESERVED_MS) {
    problems.push(
      `FANFARE_PRE_STOP_MS leaves no time to drain: set FANFARE_SHUTDOWN_MS at least ${RESERVED_MS} ms higher`,
    );
  }
  const origins = commaList.safeParse(given.FANFARE_CORS_ORIGINS).data ?? [];
  if (origins.includes('*') && flag.safeParse(given.FANFARE_CORS_CREDENTIALS).data === true) {
    problems.push(
      'FANFARE_CORS_ORIGINS=* cannot go with FANFARE_CORS_CREDENTIALS=true: any page could act for your users; list the origins',
    );
  }
  return [...problems, ...redisConflicts(given), ...identityConflicts(given)];
};

/** The configuration of a gateway node from its environment; a `ConfigError` lists every problem. */
export function loadGatewayConfig(env: Env) {
  const { settings, warnings } = parseEnv(gatewaySettings, env, conflicts);
  const origins = settings.FANFARE_CORS_ORIGINS;
  return {
    node: settings.FANFARE_NODE_ID ?? hostNodeId,
    worker: settings.FANFARE_WORKER,
    workers: settings.FANFARE_WORKERS,
    http: { host: settings.FANFARE_HOST, port: settings.FANFARE_PORT },
    ops: { host: settings.FANFARE_OPS_HOST, port: settings.FANFARE_OPS_PORT },
    redis: redisTarget(settings, (text) => new Secret(text)),
    retention: settings.FANFARE_RETENTION,
    presence: settings.FANFARE_PRESENCE
      ? { graceMs: settings.FANFARE_PRESENCE_GRACE_MS, listMax: settings.FANFARE_PRESENCE_LIST_MAX }
      : undefined,
    identity: identityOf(settings),
    namespaces: [...new Set(settings.FANFARE_NAMESPACES)],
    cors: { origin: origins.includes('*') ? '*' : origins, credentials: settings.FANFARE_CORS_CREDENTIALS },
    origins,
    trustedProxies: settings.FANFARE_TRUSTED_PROXIES,
    handlers: settings.FANFARE_HANDLERS,
    pages: settings.FANFARE_PAGES,
    console: settings.FANFARE_CONSOLE,
    apiUrl: settings.FANFARE_API_URL,
    drain: { preStopMs: settings.FANFARE_PRE_STOP_MS, perSecond: settings.FANFARE_DRAIN_PER_SECOND },
    session: {
      expiringMs: settings.FANFARE_SESSION_EXPIRING_MS,
      graceMs: settings.FANFARE_SESSION_GRACE_MS,
    },
    socketRooms: settings.FANFARE_SOCKET_ROOMS,
    fanout: settings.FANFARE_FANOUT,
    engine: readEngine(settings),
    limits: readLimits(settings, settings.FANFARE_WORKERS),
    shutdownMs: settings.FANFARE_SHUTDOWN_MS,
    logLevel: settings.LOG_LEVEL,
    warnings,
  } as const;
}
