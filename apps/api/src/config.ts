import cluster from 'node:cluster';
import {
  DEFAULT_RETENTION,
  redisCaFile,
  redisConflicts,
  redisTarget,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { namespaceName } from '@fanfare/protocol';
import {
  commaList,
  type Env,
  LOG_LEVELS,
  parseEnv,
  portConflicts,
  Secret,
  secret,
  wholeNumber,
} from '@fanfare/runtime';
import { z } from 'zod';
import { apiKeys } from './keys/key-list.ts';

const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
  .transform((text) => new Secret(text));

/** Every setting of an api process, as it stands in the environment. */
export const apiSettings = z.object({
  FANFARE_HOST: z.string().default('0.0.0.0').describe('Address of the public port'),
  FANFARE_PORT: wholeNumber(0, 65_535).default(3100).describe('Public port: HTTP; 0 takes a free one'),
  FANFARE_OPS_HOST: z.string().default('0.0.0.0').describe('Address of the ops port; keep it private'),
  FANFARE_OPS_PORT: wholeNumber(0, 65_535)
    .default(9091)
    .describe('Ops port: /livez, /readyz, /metrics; 0 takes a free one'),
  FANFARE_WORKER: z
    .string()
    .max(20)
    .default('0')
    .describe(
      'Which worker this is; set by a primary process that runs the api beside the workers of a node',
    ),
  REDIS_URL: redisUrl
    .optional()
    .describe('The Redis that the gateways share; only a worker of a machine without Redis goes without it'),
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
  FANFARE_API_KEYS: apiKeys.describe(
    'API keys of the backends, as name:key, name:sha256:digest or name[scope+scope]:…, separated by commas or white space; a key has at least 16 characters, and one without scopes may do everything',
  ),
  FANFARE_API_KEY_PER_SECOND: wholeNumber(1, 1_000_000)
    .optional()
    .describe(
      'Most requests in a second of all keys of one name on this process, twice as many after a pause; each command of a batch counts. Default: no limit',
    ),
  FANFARE_NAMESPACES: commaList
    .pipe(z.array(namespaceName))
    .default(['/'])
    .describe('Namespaces, separated by commas; the same as those of the gateways'),
  FANFARE_OUTBOX_DATABASE_URL: databaseUrl.optional().meta({
    description:
      'The PostgreSQL whose outbox is told, past any pooler: docs/outbox.md. Default: there is none',
    secret: true,
  }),
  // A session that is idle for 15 s is ended.
  FANFARE_OUTBOX_POLL_MS: wholeNumber(10, 10_000)
    .default(1000)
    .describe('How often the outbox is looked at when the database says nothing, in ms'),
  FANFARE_OUTBOX_TRIES: wholeNumber(1, 1000)
    .default(20)
    .describe(
      'How often an event of the outbox that the cluster refuses is tried, 2 s apart at most, before it is given up; an outage of Redis does not count',
    ),
  FANFARE_OUTBOX_KEEP_MS: wholeNumber(0, 2_592_000_000)
    .default(3_600_000)
    .describe('How long an event stays in the outbox once it is told, in ms'),
  FANFARE_LONGEST_TOKEN_MS: wholeNumber(60_000, 34_560_000_000)
    .default(86_400_000)
    .describe(
      'How long a token lives at the most, in ms: revocations and removals are remembered for so long',
    ),
  FANFARE_SHUTDOWN_MS: wholeNumber(100, 3_600_000)
    .default(20_000)
    .describe('Longest time between SIGTERM and the end of the process, in ms'),
  LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .default('info')
    .describe(`Least level that is logged: ${LOG_LEVELS.join(', ')}`),
});

export type ApiConfig = ReturnType<typeof loadApiConfig>;

/**
 * The configuration of an api process from its environment; a `ConfigError` lists every problem. Without Redis only a
 * cluster worker can reach the gateways, through its primary.
 */
export function loadApiConfig(env: Env, isWorker: boolean = cluster.isWorker) {
  const { settings, warnings } = parseEnv(apiSettings, env, (given) => [
    ...(given.REDIS_URL === undefined && !isWorker
      ? ['REDIS_URL is not set: without it an api process on its own reaches no gateway']
      : []),
    ...portConflicts(given, { public: '3100', ops: '9091' }),
    ...redisConflicts(given),
  ]);
  return {
    worker: settings.FANFARE_WORKER,
    http: { host: settings.FANFARE_HOST, port: settings.FANFARE_PORT },
    ops: { host: settings.FANFARE_OPS_HOST, port: settings.FANFARE_OPS_PORT },
    redis: redisTarget(settings, (text) => new Secret(text)),
    retention: settings.FANFARE_RETENTION,
    apiKeys: settings.FANFARE_API_KEYS,
    apiKeysFile: env.FANFARE_API_KEYS_FILE || undefined,
    apiKeyPerSecond: settings.FANFARE_API_KEY_PER_SECOND,
    namespaces: [...new Set(settings.FANFARE_NAMESPACES)],
    outbox: settings.FANFARE_OUTBOX_DATABASE_URL && {
      url: settings.FANFARE_OUTBOX_DATABASE_URL,
      pollMs: settings.FANFARE_OUTBOX_POLL_MS,
      tries: settings.FANFARE_OUTBOX_TRIES,
      keepMs: settings.FANFARE_OUTBOX_KEEP_MS,
    },
    longestTokenMs: settings.FANFARE_LONGEST_TOKEN_MS,
    shutdownMs: settings.FANFARE_SHUTDOWN_MS,
    logLevel: settings.LOG_LEVEL,
    warnings,
  } as const;
}
