import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** As text, or as something that does not print it. */
export type Password = string | { reveal(): string };

/** Where Redis is, and in which of its three shapes. */
export interface RedisTarget {
  kind: 'standalone' | 'sentinel' | 'cluster';
  nodes: { host: string; port: number }[];
  /** Name of the master that the sentinels watch. */
  master: string;
  username: string | undefined;
  password: Password | undefined;
  tls: boolean;
  /** Who asks the sentinels; undefined where they know no users. */
  sentinel?: { username: string | undefined; password: Password } | undefined;
  /** PEM of the authority that signed the servers' certificates; undefined for those that Node knows. */
  ca?: string | undefined;
}

/** What a `REDIS_URL` says. */
type RedisUrl = RedisTarget & { password: string | undefined };

const URL_FORM =
  /^(?<tls>rediss|redis)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<username>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^/?#]+)(?:\/(?<path>[^/?#]*))?$/;
const HOST = /^(?<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(?<port>\d{1,5}))?$/;
const DEFAULT_PORT = { standalone: 6379, sentinel: 26_379, cluster: 6379 } as const;

const FORMS =
  'expected redis://host:6379, redis+sentinel://host1:26379,host2:26379/master-name or redis+cluster://host1:6379,host2:6379 (rediss… for TLS)';

const decodePart = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : decodeURIComponent(text);

const readUrl = (text: string): RedisUrl | undefined => {
  const parts = URL_FORM.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const kind = parts.kind === 'sentinel' || parts.kind === 'cluster' ? parts.kind : 'standalone';
  const nodes = (parts.hosts ?? '').split(',').flatMap((item) => {
    const host = HOST.exec(item)?.groups;
    return host?.host === undefined
      ? []
      : [{ host: host.host.replace(/^\[|\]$/g, ''), port: Number(host.port ?? DEFAULT_PORT[kind]) }];
  });
  const isComplete = nodes.length === (parts.hosts ?? '').split(',').length;
  const isFitting =
    kind === 'standalone'
      ? nodes.length === 1 && ['', '0'].includes(parts.path ?? '')
      : kind !== 'sentinel' || parts.path;
  if (!isComplete || !isFitting) return undefined;
  return {
    kind,
    nodes,
    master: parts.path ?? '',
    username: decodePart(parts.username),
    password: decodePart(parts.password),
    tls: parts.tls === 'rediss',
  };
};

/** Parses a `REDIS_URL`. Databases other than 0 are refused: publish and subscribe know none. */
export const redisUrl = z.string().transform((text, context): RedisUrl => {
  const target = readUrl(text);
  if (target !== undefined) return target;
  context.addIssue({ code: 'custom', message: FORMS });
  return z.NEVER;
});

/**
 * What the settings of a process say of Redis. Its passwords are to be given as what does not print them: `hide` makes
 * that of the one in the URL.
 */
export const redisTarget = (
  settings: {
    REDIS_URL?: RedisUrl | undefined;
    FANFARE_REDIS_CA_FILE?: string | undefined;
    FANFARE_REDIS_SENTINEL_USER?: string | undefined;
    FANFARE_REDIS_SENTINEL_PASSWORD?: Password | undefined;
  },
  hide: (text: string) => Password,
): RedisTarget | undefined => {
  const { REDIS_URL: url, FANFARE_REDIS_SENTINEL_USER: username } = settings;
  const { FANFARE_REDIS_SENTINEL_PASSWORD: password } = settings;
  return (
    url && {
      ...url,
      password: url.password === undefined ? undefined : hide(url.password),
      sentinel: password === undefined ? undefined : { username, password },
      ca: settings.FANFARE_REDIS_CA_FILE,
    }
  );
};

/** What is wrong between the settings of Redis, as they are given. */
export const redisConflicts = (given: Readonly<Record<string, string>>): string[] => {
  const { REDIS_URL: url = '', FANFARE_REDIS_SENTINEL_PASSWORD: password } = given;
  if (given.FANFARE_REDIS_SENTINEL_USER !== undefined && password === undefined)
    return ['FANFARE_REDIS_SENTINEL_USER is set without FANFARE_REDIS_SENTINEL_PASSWORD: set both'];
  if (password !== undefined && !url.includes('+sentinel:'))
    return [
      'FANFARE_REDIS_SENTINEL_PASSWORD is set, and REDIS_URL names no sentinels (redis+sentinel://…): the password of a Redis server stands in REDIS_URL',
    ];
  return [];
};

/** Path of a PEM file with the authority of a Redis that has TLS; becomes its text. */
export const redisCaFile = z.string().transform((path, context): string => {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
    context.addIssue({ code: 'custom', message: 'the file holds no certificate in PEM' });
  } catch {
    context.addIssue({ code: 'custom', message: 'the file cannot be read' });
  }
  return z.NEVER;
});
