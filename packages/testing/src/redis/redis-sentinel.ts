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
  readonly #sentinels: { ports: readonly number[]; password: string };
  readonly #owned: AsyncDisposableStack;

  /** Resolves once the replica is in step and the sentinels could fail over to it. */
  static async start(
    options: Pick<RedisOptions, 'args'> & Shared & { sentinelPassword?: string } = {},
  ): Promise<RedisSentinel> {
    const { args = [], sentinelPassword = '', ...shared } = options;
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
      starting.use(
        await runSentinel({ ...shared, dir, port, masterPort: master.port, password: sentinelPassword }),
      );
      ports.push(port);
    }
    await eventually(() => Promise.all(ports.map((port) => assertWatches(port, sentinelPassword))), {
      timeoutMs: READY_MS,
    });
    return new RedisSentinel([master, replica], { ports, password: sentinelPassword }, starting.move());
  }

  private constructor(
    servers: readonly RedisServer[],
    sentinels: { ports: readonly number[]; password: string },
    owned: AsyncDisposableStack,
  ) {
    this.servers = servers;
    this.#sentinels = sentinels;
    this.#owned = owned;
  }

  /** As in `REDIS_URL`. */
  get url(): string {
    return `redis+sentinel://${this.#sentinels.ports.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER}`;
  }

  /** The server that the sentinels call the master now. */
  async master(): Promise<RedisServer> {
    const { ports, password } = this.#sentinels;
    const reply = await askSentinel(ports[0] ?? 0, password, `SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER}`);
    const server = this.servers.find(({ port }) => reply.includes(`\r\n${port}\r\n`));
    if (server === undefined) throw new Error(`the sentinels name none of ours: ${reply}`);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

const runSentinel = async (
  options: Shared & { dir: string; port: number; masterPort: number; password: string },
) => {
  const { dir, port, masterPort, password, ...shared } = options;
  const file = join(dir, `${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER} 6000`,
    // Each asks the others with its own.
    ...(password === '' ? [] : [`requirepass ${password}`]),
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

const askSentinel = (port: number, password: string, command: string): Promise<string> =>
  askRedis(port, password === '' ? command : `AUTH ${password}\r\n${command}`);

const assertWatches = async (port: number, password: string): Promise<void> => {
  const { master0 = '' } = fieldsOf(await askSentinel(port, password, 'INFO sentinel'));
  const isReady = /status=ok/.test(master0) && /slaves=1/.test(master0) && /sentinels=3/.test(master0);
  if (!isReady) throw new Error(`the sentinel ${port} says ${master0}`);
};
