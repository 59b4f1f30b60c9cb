import { type Exit, freePort } from '@fanfare/testing';
import { z } from 'zod';
import { createCredentials, type TokenRequest } from '../credentials.ts';
import { startProgram } from '../process/app-process.ts';
import type { LogLine } from '../process/log-lines.ts';
import { createProcessGroup } from '../process/process-group.ts';
import { assertCanListen, urlOf } from '../process/public-port.ts';
import { apiEnv, type Env, gatewayEnv, namespacesOf } from '../settings.ts';
import { SINGLE_VARIABLE, type SingleConfig } from './config.ts';

export interface SingleOptions {
  /** Processes that share the sockets; default 2. */
  workers?: number;
  /** Address of the public port; default 127.0.0.1. */
  host?: string;
  /** Public port; default 0, which takes a free one. */
  port?: number;
  /** Settings of the gateway. */
  env?: Env;
  /** Hears every line of every process. */
  onLog?: (line: LogLine) => void;
  /** Hears what is being started. */
  onProgress?: (step: string) => void;
  /** Hears when the node ends by itself. */
  onExit?: (name: string, exit: Exit) => void;
}

/** One node on this machine without Redis and nginx: its workers and the api share rooms through their parent. */
export interface Single extends AsyncDisposable {
  readonly url: string;
  /** A day long, every room of every configured namespace. */
  readonly token: string;
  readonly apiKey: string;
  /** The one node; its process is the parent of the workers. */
  readonly nodes: readonly { id: string; url: string; pid: number }[];
  /** A token with other claims than `token` has. */
  issueToken(request: TokenRequest): Promise<string>;
}

const NODE = 'n1';

const listening = z.object({ app: z.literal('single'), msg: z.literal('listening'), port: z.int() });

const defined = (env: Env): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

const configure = async (options: SingleOptions, credentials: ReturnType<typeof createCredentials>) => {
  const { workers = 2, host = '127.0.0.1', port = 0, env = {} } = options;
  const apiPort = await freePort();
  const shared = { env, redisUrl: undefined, credentials };
  const onLoopback = { FANFARE_HOST: '127.0.0.1', FANFARE_PORT: String(apiPort) };
  const config: SingleConfig = {
    host,
    port,
    workers,
    gatewayEnv: defined({
      ...gatewayEnv(shared, workers),
      FANFARE_NODE_ID: NODE,
      FANFARE_API_URL: `http://127.0.0.1:${apiPort}`,
    }),
    apiEnv: defined({ ...apiEnv(shared, {}), ...onLoopback }),
  };
  return config;
};

/** Starts the node and waits until all its workers and the api are up. */
export const startSingle = async (options: SingleOptions = {}): Promise<Single> => {
  const { host = '127.0.0.1', env = {}, onProgress = () => {} } = options;
  await assertCanListen(host, options.port ?? 0);
  await using starting = new AsyncDisposableStack();
  const group = starting.use(createProcessGroup({ onLog: options.onLog, onExit: options.onExit }));
  const credentials = createCredentials(namespacesOf(env), env.FANFARE_TOKEN_SECRET || undefined);
  const config = await configure(options, credentials);

  onProgress(`Starting one node with ${config.workers} workers, without Redis …`);
  const { process, record } = await startProgram({
    ...group.watch(NODE),
    name: NODE,
    main: 'deploy/local/src/single/main.ts',
    awaits: listening,
    env: { ...env, [SINGLE_VARIABLE]: JSON.stringify(config) },
  });
  starting.use(process);
  const token = await credentials.issueToken();
  const url = urlOf(host, record.port);

  group.reportExits = true;
  const owned = starting.move();
  return {
    url,
    token,
    apiKey: credentials.apiKey,
    nodes: [{ id: NODE, url, pid: process.pid }],
    issueToken: credentials.issueToken,
    [Symbol.asyncDispose]: async () => {
      group.reportExits = false;
      await owned.disposeAsync();
    },
  };
};
