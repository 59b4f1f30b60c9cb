import { readFile } from 'node:fs/promises';
import { type Stack, startStack } from '@fanfare/local';
import { type Exit, eventually, FaultProxy, freePort, RedisCluster, RedisSentinel } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { z } from 'zod';

const REDIS_CONF = new URL('../../../../deploy/redis/redis.conf', import.meta.url);
/** Where and how a machine of ours listens is not the configuration's to say. */
const OF_THE_MACHINE = new Set(['bind', 'port', 'dir', 'protected-mode']);

export const NODES = ['n1', 'n2', 'n3'] as const;
export type NodeName = (typeof NODES)[number];

/** Three nodes, the api, nginx and Redis, with a fault proxy on every link to Redis. */
export interface ChaosCluster extends AsyncDisposable {
  readonly stack: Stack;
  readonly proxies: Readonly<Record<NodeName | 'api', FaultProxy>>;
  /** Processes that ended although nobody killed them. */
  readonly exits: readonly { name: string; exit: Exit }[];
  /** The most connections that each node closed within a second of its drain, as it says. */
  readonly drains: readonly number[];
  /** The last log lines of a process that are warnings or worse. */
  readonly complaints: readonly string[];
  /** Asks Redis past every proxy. */
  askRedis<T>(ask: (redis: Redis) => Promise<T>): Promise<T>;
  restartNode(name: string): Promise<void>;
  /** Kills the Redis that has a room, and resolves once another one has it. Not for a standalone one. */
  failOver(room: string): Promise<void>;
}

/** A Redis that outlives the death of one of its servers. */
type ReplicatedRedis = 'cluster' | 'sentinel';

const redisArguments = async (): Promise<string[]> => {
  const lines = (await readFile(REDIS_CONF, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const [name = '', ...values] = line.trim().split(/\s+/);
    if (name === '' || name.startsWith('#') || OF_THE_MACHINE.has(name)) return [];
    return [`--${name}`, ...values.map((value) => (value === '""' ? '' : value))];
  });
};

const drained = z.looseObject({ mostPerSecond: z.number() });

const FAILOVER_MS = 30_000;

const startReplicated = async (kind: ReplicatedRedis, starting: AsyncDisposableStack) => {
  const args = await redisArguments();
  if (kind === 'cluster') {
    const cluster = starting.use(await RedisCluster.start({ args }));
    const ownerOf = (room: string) => cluster.ownerOf(`{socket.io#/#${room}#}:log`);
    return { url: cluster.url, ownerOf };
  }
  const sentinel = starting.use(await RedisSentinel.start({ args }));
  return { url: sentinel.url, ownerOf: () => sentinel.master() };
};

export const startCluster = async (options: {
  env?: Readonly<Record<string, string>>;
  /** Instead of the standalone Redis behind the proxies; there is no proxy in front of it. */
  redis?: ReplicatedRedis;
}): Promise<ChaosCluster> => {
  await using starting = new AsyncDisposableStack();
  const port = await freePort();
  const proxyTo = async () => starting.use(await FaultProxy.start({ to: { port } }));
  const proxies = { n1: await proxyTo(), n2: await proxyTo(), n3: await proxyTo(), api: await proxyTo() };
  const isProxied = (name: string): name is keyof typeof proxies => name in proxies;
  const replicated = options.redis && (await startReplicated(options.redis, starting));
  const exits: { name: string; exit: Exit }[] = [];
  const complaints: string[] = [];
  const drains: number[] = [];
  const { FANFARE_RETENTION } = options.env ?? {};
  const stack = starting.use(
    await startStack({
      nodes: NODES.length,
      env: { ...options.env, LOG_LEVEL: 'info' },
      apiEnv: { FANFARE_RETENTION },
      redis: { port, args: await redisArguments() },
      redisUrlOf: (name, login) =>
        replicated?.url ?? `redis://${login}127.0.0.1:${isProxied(name) ? proxies[name].port : port}`,
      onExit: (name, exit) => {
        // Killed by a scenario, or drained to its end.
        if (exit.signal !== 'SIGKILL' && exit.code !== 0) exits.push({ name, exit });
      },
      onLog: ({ process, stream, text }) => {
        if (text.includes('"msg":"drained"')) drains.push(drained.parse(JSON.parse(text)).mostPerSecond);
        if (stream === 'stderr' || /"level":(40|50|60)/.test(text)) complaints.push(`${process}: ${text}`);
        if (complaints.length > 200) complaints.shift();
      },
    }),
  );
  const owned = starting.move();
  return {
    stack,
    proxies,
    exits,
    complaints,
    drains,
    askRedis: async (ask) => {
      const redis = new Redis(stack.redis.url, { maxRetriesPerRequest: null });
      try {
        return await ask(redis);
      } finally {
        redis.disconnect();
      }
    },
    restartNode: async (name) => {
      await stack.startNode(name);
    },
    failOver: async (room) => {
      if (replicated === undefined) throw new Error('a standalone Redis has no other server');
      const owner = await replicated.ownerOf(room);
      owner.kill('SIGKILL');
      await owner.process.exited;
      const assertTakenOver = async () => {
        const { port: now } = await replicated.ownerOf(room);
        if (now === owner.port) throw new Error(`${now} still has ${room}`);
      };
      await eventually(assertTakenOver, { timeoutMs: FAILOVER_MS });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
