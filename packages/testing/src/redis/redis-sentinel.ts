import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { findBinary, REDIS } from '../process/binaries.ts';
import { ManagedProcess } from '../process/managed-process.ts';
import { freePort } from '../process/ports.ts';
import { askRedis, fieldsOf } from './redis-command.ts';
import { type RedisOptions, RedisServer } from './redis-server.ts';

const MASTER = 'main';
const SENTINELS = 3;
const READY_MS = 20_000;
/** Short, so that a failover takes seconds. */
const DOWN_AFTER_MS = 1500;

type Shared = Pick<RedisOptions, 'detached' | 'onLine' | 'onStart'>;

/** A real master with a replica, and three sentinels that watch it, on 127.0.0.1. */
export class RedisSentinel implements AsyncDisposable {
  readonly servers: readonly RedisServer[];
  readonly #sentinelPorts: readonly number[];
  readonly #owned: AsyncDisposableStack;

  /** Resolves once the replica is in step and the sentinels could fail over to it. */
  static async start(options: Pick<RedisOptions, 'args'> & Shared = {}): Promise<RedisSentinel> {
    const { args = [], ...shared } = options;
    await using starting = new AsyncDisposableStack();
    const master = starting.use(await RedisServer.start({ ...shared, args }));
    const following = ['--replicaof', '127.0.0.1', String(master.port)];
    const replica = starting.use(await RedisServer.start({ ...shared, args: [...args, ...following] }));
    await eventually(() => assertInStep(replica), { timeoutMs: READY_MS });
    const dir = await mkdtemp(join(tmpdir(), 'fanfare-sentinel-'));
    starting.defer(() => rm(dir, { recursive: true, force: true }));
    const ports: number[] = [];
    for (let i = 0; i < SENTINELS; i++) {
      const port = await freePort();
      starting.use(await runSentinel({ ...shared, dir, port, masterPort: master.port }));
      ports.push(port);
    }
    await eventually(() => Promise.all(ports.map(assertWatches)), { timeoutMs: READY_MS });
    return new RedisSentinel([master, replica], ports, starting.move());
  }

  private constructor(
    servers: readonly RedisServer[],
    sentinelPorts: readonly number[],
    owned: AsyncDisposableStack,
  ) {
    this.servers = servers;
    this.#sentinelPorts = sentinelPorts;
    this.#owned = owned;
  }

  /** As in `REDIS_URL`. */
  get url(): string {
    return `redis+sentinel://${this.#sentinelPorts.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER}`;
  }

  /** The server that the sentinels call the master now. */
  async master(): Promise<RedisServer> {
    const reply = await askRedis(this.#sentinelPorts[0] ?? 0, `SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER}`);
    const server = this.servers.find(({ port }) => reply.includes(`\r\n${port}\r\n`));
    if (server === undefined) throw new Error(`the sentinels name none of ours: ${reply}`);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

const runSentinel = async (options: Shared & { dir: string; port: number; masterPort: number }) => {
  const { dir, port, masterPort, ...shared } = options;
  const file = join(dir, `${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER} 6000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return ManagedProcess.start({
    ...shared,
    name: 'sentinel',
    command: await findBinary(REDIS),
    args: [file, '--sentinel'],
  });
};

const assertInStep = async (replica: RedisServer): Promise<void> => {
  const { master_link_status: link } = fieldsOf(await askRedis(replica.port, 'INFO replication'));
  if (link !== 'up') throw new Error(`the replica ${replica.port} is not in step`);
};

const assertWatches = async (port: number): Promise<void> => {
  const { master0 = '' } = fieldsOf(await askRedis(port, 'INFO sentinel'));
  const isReady = /status=ok/.test(master0) && /slaves=1/.test(master0) && /sentinels=3/.test(master0);
  if (!isReady) throw new Error(`the sentinel ${port} says ${master0}`);
};
