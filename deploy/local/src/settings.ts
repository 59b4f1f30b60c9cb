import type { Credentials } from './credentials.ts';

/** Environment variables; `undefined` removes an inherited one. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Settings of a gateway that mean the same to the api. */
const SHARED_WITH_API = ['FANFARE_NAMESPACES', 'FANFARE_RETENTION', 'FANFARE_SHUTDOWN_MS', 'LOG_LEVEL'];

/** The launcher reads the line "listening", so no process may be quieter than that. */
const atLeastInfo = (level: string | undefined): string =>
  level === undefined || ['warn', 'error', 'fatal', 'silent'].includes(level) ? 'info' : level;

/** `FANFARE_NAMESPACES` as the gateways read it. */
export const namespacesOf = (env: Env): string[] => {
  const names = (env.FANFARE_NAMESPACES ?? '').split(',').map((name) => name.trim());
  const given = names.filter((name) => name !== '');
  return given.length > 0 ? given : ['/'];
};

export interface Shared {
  /** What the launcher was given for the gateways. */
  env: Env;
  redisUrl: string | undefined;
  credentials: Credentials;
}

export const gatewayEnv = ({ env, redisUrl, credentials }: Shared, workers: number): Env => ({
  FANFARE_CONSOLE: 'true',
  ...env,
  LOG_LEVEL: atLeastInfo(env.LOG_LEVEL),
  FANFARE_WORKERS: String(workers),
  FANFARE_TOKEN_SECRET: credentials.tokenSecret,
  FANFARE_TOKEN_SECRET_FILE: undefined,
  REDIS_URL: redisUrl,
});

export const apiEnv = ({ env, redisUrl, credentials }: Shared, changes: Env): Env => {
  const gatewayOnly = Object.keys(env).filter((name) => !SHARED_WITH_API.includes(name));
  const shared = Object.entries(env).filter(([name]) => SHARED_WITH_API.includes(name));
  return {
    ...Object.fromEntries(gatewayOnly.map((name) => [name, undefined])),
    ...Object.fromEntries(shared),
    ...changes,
    LOG_LEVEL: atLeastInfo(env.LOG_LEVEL),
    FANFARE_API_KEYS: `local:${credentials.apiKey}`,
    FANFARE_API_KEYS_FILE: undefined,
    REDIS_URL: redisUrl,
  };
};
