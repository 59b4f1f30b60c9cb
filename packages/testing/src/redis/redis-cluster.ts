import { eventually } from '../eventually.ts';
import { freePort } from '../process/ports.ts';
import { askRedis, fieldsOf } from './redis-command.ts';
import { type RedisOptions, RedisServer } from './redis-server.ts';

const SLOTS = 16_384;
/** Short, so that a failover takes seconds. */
const NODE_TIMEOUT_MS = 2000;
const READY_MS = 20_000;

/** A real Redis Cluster on 127.0.0.1: masters with a replica each. */
export class RedisCluster implements AsyncDisposable {
  readonly servers: readonly RedisServer[];
  readonly #owned: AsyncDisposableStack;

  /** Resolves once every node serves and every replica is in step. */
  static async start(
    options: { masters?: number } & Pick<RedisOptions, 'args' | 'detached' | 'onLine' | 'onStart'> = {},
  ): Promise<RedisCluster> {
    const { masters = 3, args = [], ...shared } = options;
    await using starting = new AsyncDisposableStack();
    const members = await Promise.all(
      Array.from({ length: masters * 2 }, async () => {
        const busPort = await freePort();
        const own = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)];
        const timing = ['--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
        const server = await RedisServer.start({ ...shared, args: [...own, ...timing, ...args] });
        return { server: starting.use(server), busPort };
      }),
    );
    const servers = members.map(({ server }) => server);
    const [first, ...others] = members;
    if (first === undefined) throw new RangeError('a cluster needs a master');
    await Promise.all(servers.slice(0, masters).map((server, i) => assignSlots(server, { i, masters })));
    for (const { server, busPort } of others) {
      await askRedis(first.server.port, `CLUSTER MEET 127.0.0.1 ${server.port} ${busPort}`);
    }
    await eventually(() => Promise.all(servers.map((server) => assertKnows(server, servers.length))), {
      timeoutMs: READY_MS,
    });
    await Promise.all(
      servers.slice(masters).map(async (replica, i) => {
        const master = servers[i]?.port ?? 0;
        const id = (await askRedis(master, 'CLUSTER MYID')).split('\r\n')[1];
        await askRedis(replica.port, `CLUSTER REPLICATE ${id}`);
      }),
    );
    await eventually(() => Promise.all(servers.map(assertServes)), { timeoutMs: READY_MS });
    return new RedisCluster(servers, starting.move());
  }

  private constructor(servers: readonly RedisServer[], owned: AsyncDisposableStack) {
    this.servers = servers;
    this.#owned = owned;
  }

  /** As in `REDIS_URL`. */
  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The master that has the slot of a key or of a shard channel now. */
  async ownerOf(key: string): Promise<RedisServer> {
    const running = this.servers.filter((server) => server.process.isRunning);
    const [witness] = running;
    if (witness === undefined) throw new Error('no server of the cluster runs');
    const slot = Number((await askRedis(witness.port, `CLUSTER KEYSLOT ${key}`)).slice(1));
    for (const server of running) {
      const nodes = await askRedis(server.port, 'CLUSTER NODES');
      const own = nodes.split('\n').find((line) => line.includes('myself,master')) ?? '';
      const ranges = own.split(' ').slice(8);
      const has = ranges.some((range) => {
        const [from, to = from] = range.split('-').map(Number);
        return from !== undefined && to !== undefined && from <= slot && slot <= to;
      });
      if (has) return server;
    }
    throw new Error(`no running master has slot ${slot}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

const assignSlots = async (server: RedisServer, { i, masters }: { i: number; masters: number }) => {
  const from = Math.ceil((SLOTS * i) / masters);
  const to = Math.ceil((SLOTS * (i + 1)) / masters) - 1;
  await askRedis(server.port, `CLUSTER ADDSLOTSRANGE ${from} ${to}`);
};

const assertKnows = async (server: RedisServer, count: number): Promise<void> => {
  const nodes = await askRedis(server.port, 'CLUSTER NODES');
  const connected = nodes
    .split('\n')
    .filter((line) => / connected( |$)/.test(line) && !/handshake/.test(line));
  if (connected.length !== count) throw new Error(`${server.port} knows ${connected.length} of ${count}`);
};

const assertServes = async (server: RedisServer): Promise<void> => {
  const { cluster_state: state } = fieldsOf(await askRedis(server.port, 'CLUSTER INFO'));
  if (state !== 'ok') throw new Error(`the cluster is ${state} to ${server.port}`);
  const { role, master_link_status: link } = fieldsOf(await askRedis(server.port, 'INFO replication'));
  if (role === 'slave' && link !== 'up') throw new Error(`the replica ${server.port} is not in step`);
};
