import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

/** A client that runs scripts: standalone, Sentinel or Cluster. */
export type RedisCommands = Redis | Cluster;

export interface RedisScript {
  run(
    redis: RedisCommands,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown>;
}

const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');

/**
 * A Lua file, sent once per server and named by its hash from then on. Strings in its reply are Buffers. One that
 * `onlyReads` runs for users who may read its keys and not write them; Redis holds it to that.
 */
export function loadScript(file: URL, { onlyReads = false } = {}): RedisScript {
  const suffix = onlyReads ? '_RO' : '';
  const source = readFileSync(file, 'utf8');
  const hash = createHash('sha1').update(source).digest('hex');
  return {
    run: (redis, keys, args) =>
      redis.callBuffer(`EVALSHA${suffix}`, hash, keys.length, ...keys, ...args).catch((error: unknown) => {
        if (!isUnknownScript(error)) throw error;
        return redis.callBuffer(`EVAL${suffix}`, source, keys.length, ...keys, ...args);
      }),
  };
}
