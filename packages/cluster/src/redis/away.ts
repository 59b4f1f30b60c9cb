import type { RedisTarget } from './url.ts';

/** What a process says of its link to Redis. */
export interface LinkChange {
  target: RedisTarget;
  /** Told when the link goes or comes back, and when it is kept away by something else than before. */
  onChange: (up: boolean, reason?: string) => void;
}

interface Cause {
  error: string;
  where: string;
  user: string;
  isTls: boolean;
  /** Whether this process has never been connected: then its settings are likely at fault. */
  isFirst: boolean;
}

/** What an error says, and what a person can do about it. */
const CAUSES: readonly [RegExp, (cause: Cause) => string][] = [
  [
    /sentinels are unreachable.*(NOAUTH|WRONGPASS)/,
    ({ where, error }) =>
      `${where} refuse the password, or ask for one (${error}): check FANFARE_REDIS_SENTINEL_PASSWORD`,
  ],
  [/^WRONGPASS/, ({ where, user }) => `${where} refuses the user "${user}" or its password: check REDIS_URL`],
  [/^NOAUTH/, ({ where }) => `${where} asks for a password: write redis://USER:PASSWORD@… in REDIS_URL`],
  [
    /^NOPERM/,
    ({ where, user, error }) =>
      `${where} forbids the user "${user}" what it needs (${error}): give it the rights that deploy/redis/users.conf has`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    ({ where, error }) => `${where} has no address (${error}): check the host in REDIS_URL`,
  ],
  [
    /ECONNREFUSED/,
    ({ where, error }) =>
      `Nothing listens where ${where} should be (${error}): start it, or correct REDIS_URL`,
  ],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    ({ where, error, isTls }) =>
      `${where} does not answer (${error}): check the network in between and REDIS_URL${isTls ? ', and whether it speaks TLS there' : ''}`,
  ],
  [
    /self-signed|unable to (verify|get)/,
    ({ where, error }) =>
      `The certificate of ${where} comes from an authority that is not known (${error}): name it in FANFARE_REDIS_CA_FILE`,
  ],
  [
    /altnames/,
    ({ where, error }) =>
      `The certificate of ${where} is for other names (${error}): use one of them in REDIS_URL`,
  ],
  [
    /wrong version number|packet length/,
    ({ where, error }) => `${where} speaks no TLS (${error}): write redis:// in REDIS_URL`,
  ],
  [
    /^closed$|ECONNRESET|EPIPE/,
    ({ where, isTls, isFirst }) =>
      `${where} closed the connection${isFirst && !isTls ? ': if it wants TLS, write rediss:// in REDIS_URL' : ''}`,
  ],
];

const TITLES = { standalone: 'Redis', sentinel: 'the sentinels', cluster: 'the Redis Cluster' } as const;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** The last word of a node is more than that no node of a cluster is left. */
const messageOf = (error: Error): string =>
  'lastNodeError' in error && error.lastNodeError instanceof Error
    ? error.lastNodeError.message
    : error.message;

/** Why there is no Redis, in one sentence with a way out; without an error the other side has closed. */
export const whyAway = (
  target: RedisTarget,
  failure: Error | undefined,
  isFirst = false,
): { kind: number; reason: string } => {
  const error = failure === undefined ? 'closed' : messageOf(failure);
  const where = `${TITLES[target.kind]} at ${target.nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`;
  const kind = CAUSES.findIndex(([pattern]) => pattern.test(error));
  const cause = { error, where, user: target.username ?? 'default', isTls: target.tls, isFirst };
  return { kind, reason: sentence(CAUSES[kind]?.[1](cause) ?? `${where}: ${error}`) };
};

/** Tells of a link that stands, and why one does not: each kind of reason once, until it stands again. */
export const createChangeTeller = (isUp: () => boolean, { target, onChange }: LinkChange) => {
  let isTold = false;
  let isFirst = true;
  const kinds = new Set<number>();
  const lost = (error: Error | undefined): void => {
    if (isUp()) return;
    const { kind, reason } = whyAway(target, error, isFirst);
    if (kinds.has(kind)) return;
    kinds.add(kind);
    isTold = false;
    onChange(false, reason);
  };
  return {
    ready: (): void => {
      if (!isUp() || isTold) return;
      isTold = true;
      isFirst = false;
      kinds.clear();
      onChange(true);
    },
    /** Of one connection: an error is kept until it closes, as it may still seem to stand. */
    createLoss: () => {
      let last: Error | undefined;
      return {
        failed: (error: Error): void => {
          last = error;
          lost(error);
        },
        closed: (): void => {
          lost(last);
          last = undefined;
        },
      };
    },
  };
};
