import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../../../redis/', import.meta.url);

/** The users of deploy/redis/users.conf, and `local`, who may do everything and is the launcher's own. */
export type RedisUser = 'gateway' | 'api' | 'operator' | 'local';

/** What a Redis that is started here is configured with: the deployed configuration and users, passwords random. */
export interface RedisUsers {
  /** User and password as they stand in a URL, up to the `@`. */
  loginOf(user: RedisUser): string;
  /** Writes the configuration into a folder that nobody else can read, and returns its path. */
  writeConfig(dir: string): Promise<string>;
}

export const createRedisUsers = (): RedisUsers => {
  const passwordOf: Record<RedisUser, string> = {
    gateway: randomBytes(24).toString('hex'),
    api: randomBytes(24).toString('hex'),
    operator: randomBytes(24).toString('hex'),
    local: randomBytes(24).toString('hex'),
  };
  const variables: Readonly<Record<string, string>> = {
    REDIS_GATEWAY_PASSWORD: passwordOf.gateway,
    REDIS_API_PASSWORD: passwordOf.api,
    REDIS_OPERATOR_PASSWORD: passwordOf.operator,
  };
  return {
    loginOf: (user) => `${user}:${passwordOf[user]}@`,
    writeConfig: async (dir) => {
      const [settings, users] = await Promise.all(
        ['redis.conf', 'users.conf'].map((name) => readFile(fileURLToPath(new URL(name, FOLDER)), 'utf8')),
      );
      const known = users?.replaceAll(/\$\{(\w+):\?\}/g, (_, name) => variables[name] ?? '');
      const path = join(dir, 'redis-with-users.conf');
      const own = `user local on >${passwordOf.local} ~* &* +@all`;
      await writeFile(path, [settings, known, own, ''].join('\n'), { mode: 0o600 });
      return path;
    },
  };
};
