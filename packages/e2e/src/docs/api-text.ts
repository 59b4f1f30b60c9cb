import { randomBytes } from 'node:crypto';
import { createApi } from '@fanfare/api/api';
import { loadApiConfig } from '@fanfare/api/config';

export const SETTINGS = {
  FANFARE_HOST: '127.0.0.1',
  FANFARE_PORT: '0',
  FANFARE_OPS_HOST: '127.0.0.1',
  FANFARE_OPS_PORT: '0',
  LOG_LEVEL: 'silent',
};
/** Nothing listens there: a process runs without a Redis, and has all its metrics and routes. */
export const NO_REDIS = 'redis://127.0.0.1:1';
const NO_DATABASE = 'postgres://127.0.0.1:1/none';

/** What a real api process answers at an address of one of its ports. */
export async function apiText(port: 'http' | 'ops', path: string): Promise<string> {
  const key = randomBytes(16).toString('hex');
  const env = {
    ...SETTINGS,
    REDIS_URL: NO_REDIS,
    FANFARE_OUTBOX_DATABASE_URL: NO_DATABASE,
    FANFARE_API_KEYS: `docs:${key}`,
  };
  await using api = await createApi(loadApiConfig(env));
  await api.listen();
  return (await fetch(`http://127.0.0.1:${api.ports[port]}${path}`)).text();
}
