import { Cluster } from 'ioredis';
import { z } from 'zod';
import type { RedisLink } from './link.ts';
import type { RedisCommands } from './script.ts';

/** Largest `proto-max-bulk-len` that counts as bounded, in bytes; the default of Redis is 512 MB. */
const MAX_BULK_BYTES = 64 * 1024 ** 2;

/** What each setting has to be, and what follows when it is not. */
const RULES: Record<string, (value: string) => string | undefined> = {
  appendonly: (value) =>
    value === 'yes'
      ? undefined
      : 'Redis runs without an append-only file: when it restarts, what was published is lost. Set "appendonly yes"',
  'maxmemory-policy': (value) =>
    value === 'noeviction'
      ? undefined
      : `Redis forgets keys when its memory is full, and rooms lose events with them. Set "maxmemory-policy noeviction", not ${value}`,
  'proto-max-bulk-len': (value) =>
    Number(value) <= MAX_BULK_BYTES
      ? undefined
      : `Redis takes commands of ${Math.round(Number(value) / 1024 ** 2)} MB, so that one can use up its memory. Set "proto-max-bulk-len 8mb"`,
};

const LEAST_VERSION = 7;

/** What is wrong with the version that `INFO server` tells; what tells none is taken for good. */
export const versionWarning = (info: string): string | undefined => {
  const version = /^redis_version:(\d+[.\d]*)/m.exec(info)?.[1];
  return version === undefined || Number.parseInt(version, 10) >= LEAST_VERSION
    ? undefined
    : `Redis is version ${version}, and much fails on it. Take ${LEAST_VERSION} or newer, or Valkey`;
};

const settingReply = z.tuple([z.string(), z.string()]);

/**
 * What is wrong with the settings of a Redis that rooms are to live in, a sentence each; of a Redis Cluster those of
 * all masters. A Redis that does not tell its settings is one warning; one that is away rejects.
 */
export async function redisWarnings(redis: RedisCommands): Promise<string[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const warnings = servers.flatMap((server) => [
    server.info('server').then(versionWarning),
    ...Object.entries(RULES).map(async ([name, complain]) => {
      const [, value] = settingReply.parse(await server.config('GET', name));
      return complain(value);
    }),
  ]);
  try {
    const found = await Promise.all(warnings);
    return [...new Set(found.filter((warning) => warning !== undefined))];
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    // An ACL that forbids the command, or a service that hides it; anything else comes from a Redis that is away.
    if (!/^(NOPERM|ERR) /.test(why)) throw error;
    return [
      `The settings of Redis cannot be read (${why}): see yourself to ${Object.keys(RULES).join(', ')}`,
    ];
  }
}

/** Tells what `redisWarnings` finds whenever the link is made, each sentence once. */
export function tellRedisWarnings(link: RedisLink, tell: (warning: string) => void): void {
  const told = new Set<string>();
  const look = async () => {
    for (const warning of await redisWarnings(link.pub)) {
      if (!told.has(warning)) tell(warning);
      told.add(warning);
    }
  };
  // A Redis that is away again is asked when it is back.
  link.pub.on('ready', () => void look().catch(() => undefined));
}
