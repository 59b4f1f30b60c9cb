import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Exit,
  freePort,
  type ManagedProcess,
  NginxServer,
  type RedisOptions,
  RedisServer,
} from '@fanfare/testing';
import { createCredentials, type TokenRequest } from '../credentials.ts';
import { startApp } from '../process/app-process.ts';
import type { LogLine } from '../process/log-lines.ts';
import { createProcessGroup } from '../process/process-group.ts';
import { assertCanListen, urlOf } from '../process/public-port.ts';
import { apiEnv, type Env, gatewayEnv, namespacesOf } from '../settings.ts';
import { type LocalBoard, planBoard } from './board.ts';
import { createGatewayNodes, type GatewayNode } from './gateway-nodes.ts';
import { writeNginxConfig } from './nginx-config.ts';
import { createRedisUsers } from './redis-users.ts';

export interface StackOptions {
  /** Gateway nodes, `n1` to `nN`; default 3. */
  nodes?: number;
  /** Worker processes of each node; default 1. */
  workers?: number;
  /** Address of the public port; default 127.0.0.1. */
  host?: string;
  /** Public port; default 0, which takes a free one. */
  port?: number;
  /** Settings of the gateways, such as `FANFARE_HANDLERS` and `FANFARE_NAMESPACES`. */
  env?: Env;
  /** Settings of the api, on top of those that it shares with the gateways. */
  apiEnv?: Env;
  /** Port and further arguments of the Redis, which has the configuration that is deployed. */
  redis?: Pick<RedisOptions, 'port' | 'args'>;
  /**
   * Where a process, `n1` to `nN` or `api`, is to look for Redis; default: all at the one that is started, with
   * `login`, which is user and password up to the `@`.
   */
  redisUrlOf?: (process: string, login: string) => string;
  /** The example product too, with these settings and sample data, at `/board/` and with a PostgreSQL of its own. */
  board?: Env;
  /** Hears every line of every process. */
  onLog?: (line: LogLine) => void;
  /** Hears what is being started. */
  onProgress?: (step: string) => void;
  /** Hears of every process that ends before the stack does. */
  onExit?: (name: string, exit: Exit) => void;
  /** Stops the start at its next step. */
  signal?: AbortSignal;
}

/** A whole cluster on this machine: Redis, gateway nodes, the api, and nginx on the one public port. */
export interface Stack extends AsyncDisposable {
  /** The public address, nginx. */
  readonly url: string;
  /** A day long, every room of every configured namespace. */
  readonly token: string;
  readonly apiKey: string;
  readonly nodes: readonly GatewayNode[];
  /** Its `url` is for a user who may do everything. */
  readonly redis: RedisServer;
  readonly api: { readonly url: string; readonly opsUrl: string; readonly process: ManagedProcess };
  readonly nginx: NginxServer;
  /** Resolves when the example product is up, which is some seconds after the rest; rejects where there is none. */
  board(): Promise<LocalBoard>;
  /** A token with other claims than `token` has. */
  issueToken(request: TokenRequest): Promise<string>;
  /**
   * Starts a further node, or with the id of one that has ended that one again on its ports. nginx is told of
   * it and takes it up in its own time.
   */
  startNode(id?: string): Promise<GatewayNode>;
}

/** The api starts before the board has made the database that it reads: that is no news. */
const isOfMissingOutbox = ({ process, text }: LogLine): boolean =>
  process === 'api' && text.includes('"outbox is away');

/** Starts everything and waits until it is ready; a failure half-way ends what was started. */
export const startStack = async (options: StackOptions = {}): Promise<Stack> => {
  const { nodes: count = 3, host = '127.0.0.1', onProgress = () => {} } = options;
  const env = { FANFARE_TRUSTED_PROXIES: 'loopback', ...options.env };
  await assertCanListen(host, options.port ?? 0);
  await using starting = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-'));
  starting.defer(() => rm(dir, { recursive: true, force: true }));
  let awaitsBoard = options.board !== undefined;
  const onLog = (line: LogLine) => {
    if (!awaitsBoard || !isOfMissingOutbox(line)) options.onLog?.(line);
  };
  const group = starting.use(createProcessGroup({ dir, onLog, onExit: options.onExit }));
  const credentials = createCredentials(namespacesOf(env), options.env?.FANFARE_TOKEN_SECRET || undefined);

  onProgress('Starting Redis …');
  const users = createRedisUsers();
  const redis = starting.use(
    await RedisServer.start({
      config: await users.writeConfig(dir),
      login: users.loginOf('local'),
      ...options.redis,
      ...group.watch('redis'),
      dir,
    }),
  );
  options.signal?.throwIfAborted();

  onProgress(`Starting ${count} gateway ${count === 1 ? 'node' : 'nodes'} and the api …`);
  const board = options.board ? starting.use(await planBoard(credentials)) : undefined;
  const sharedBy = (name: string) => {
    const login = users.loginOf(name === 'api' ? 'api' : 'gateway');
    const redisUrl = options.redisUrlOf?.(name, login) ?? `redis://${login}127.0.0.1:${redis.port}`;
    return { env, redisUrl, credentials };
  };
  const nodes = starting.use(
    createGatewayNodes({
      envOf: (id) => gatewayEnv(sharedBy(id), options.workers ?? 1),
      watch: group.watch,
    }),
  );
  const [api] = await Promise.all([
    startApp({
      app: 'api',
      name: 'api',
      port: 0,
      opsPort: 0,
      env: apiEnv(sharedBy('api'), { ...board?.apiEnv, ...options.apiEnv }),
      ...group.watch('api'),
    }),
    ...Array.from({ length: count }, () => nodes.start()),
  ]);
  starting.use(api.process);
  options.signal?.throwIfAborted();

  onProgress('Starting nginx …');
  const port = options.port || (await freePort(host));
  const configure = () =>
    writeNginxConfig({
      dir,
      host,
      port,
      gateways: nodes.list(),
      apiPort: api.port,
      boardPort: board?.port,
    });
  await configure();
  const nginx = starting.use(await NginxServer.start({ ...group.watch('nginx'), dir }));
  const token = await credentials.issueToken();

  const boardStarted = board
    ? board.start({ group, env: options.board ?? {}, apiPort: api.port, url: urlOf(host, port) })
    : Promise.reject(new Error('The stack was started without `board`.'));
  // Whoever needs it waits for it, and hears then why there is none.
  boardStarted
    .catch(() => undefined)
    .then(() => {
      awaitsBoard = false;
    });

  group.reportExits = true;
  const owned = starting.move();
  return {
    url: urlOf(host, port),
    token,
    apiKey: credentials.apiKey,
    get nodes() {
      return nodes.list();
    },
    redis,
    api: {
      url: urlOf('127.0.0.1', api.port),
      opsUrl: urlOf('127.0.0.1', api.opsPort),
      process: api.process,
    },
    nginx,
    board: () => boardStarted,
    issueToken: credentials.issueToken,
    startNode: async (id) => {
      const node = await nodes.start(id);
      await configure();
      nginx.kill('SIGHUP');
      return node;
    },
    [Symbol.asyncDispose]: async () => {
      group.reportExits = false;
      await owned.disposeAsync();
    },
  };
};
