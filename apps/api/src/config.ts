import cluster from 'node:cluster';
import { DEFAULT_RETENTION, redisUrl, retentionRules } from '@fanfare/cluster';
import { namespaceName } from '@fanfare/protocol';
import { commaList, type Env, LOG_LEVELS, parseEnv, Secret, wholeNumber } from '@fanfare/runtime';
import { z } from 'zod';

/** Who may publish: the name stands in logs, only the key opens the door. */
export interface ApiKey {
  name: string;
  key: Secret;
}

const KEY_LENGTH = 16;
const KEY_NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** What fits into a header as it is. */
const KEY_TEXT = /^[\x21-\x7e]+$/;

/** What is wrong with a list of keys; never repeats a key, nor what may be one. */
const keyProblems = (entries: readonly { name: string; key: string | undefined }[]): string[] => {
  const problems: string[] = [];
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const [i, { name, key }] of entries.entries()) {
    if (key === undefined || !KEY_NAME.test(name)) {
      problems.push(`entry ${i + 1} does not look like name:key, the name of A-Z a-z 0-9 _ -`);
      continue;
    }
    if (key.length < KEY_LENGTH) problems.push(`the key of "${name}" has less than ${KEY_LENGTH} characters`);
    else if (!KEY_TEXT.test(key))
      problems.push(`the key of "${name}" has characters that no header may have`);
    if (names.has(name)) problems.push(`the name "${name}" stands there twice`);
    const owner = owners.get(key);
    if (owner !== undefined && owner !== name) problems.push(`"${owner}" and "${name}" have the same key`);
    names.add(name);
    owners.set(key, owner ?? name);
  }
  if (entries.length === 0) problems.push('expected at least one name:key');
  return problems;
};

const apiKeys = z
  .string()
  .transform((text, context): ApiKey[] => {
    const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
    const pairs = entries.map((entry) => {
      const colon = entry.indexOf(':');
      return colon < 0
        ? { name: '', key: undefined }
        : { name: entry.slice(0, colon), key: entry.slice(colon + 1) };
    });
    for (const message of keyProblems(pairs)) context.addIssue({ code: 'custom', message });
    return pairs.map(({ name, key = '' }) => ({ name, key: new Secret(key) }));
  })
  .meta({ secret: true });

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
  FANFARE_RETENTION: retentionRules
    .default(retentionRules.parse(DEFAULT_RETENTION))
    .describe(
      `How much of each room's past is kept, the same on every process: pattern=events/bytes/age, … Default: ${DEFAULT_RETENTION}`,
    ),
  FANFARE_API_KEYS: apiKeys.describe(
    'API keys of the backends that publish, as name:key, separated by commas or white space; a key has at least 16 characters',
  ),
  FANFARE_NAMESPACES: commaList
    .pipe(z.array(namespaceName).min(1))
    .default(['/'])
    .describe('Namespaces, separated by commas; the same as those of the gateways'),
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
  const { settings, warnings } = parseEnv(apiSettings, env, (given) =>
    given.REDIS_URL === undefined && !isWorker
      ? ['REDIS_URL is not set: without it an api process on its own reaches no gateway']
      : [],
  );
  return {
    worker: settings.FANFARE_WORKER,
    http: { host: settings.FANFARE_HOST, port: settings.FANFARE_PORT },
    ops: { host: settings.FANFARE_OPS_HOST, port: settings.FANFARE_OPS_PORT },
    redis: settings.REDIS_URL,
    retention: settings.FANFARE_RETENTION,
    apiKeys: settings.FANFARE_API_KEYS,
    namespaces: [...new Set(settings.FANFARE_NAMESPACES)],
    shutdownMs: settings.FANFARE_SHUTDOWN_MS,
    logLevel: settings.LOG_LEVEL,
    warnings,
  } as const;
}
