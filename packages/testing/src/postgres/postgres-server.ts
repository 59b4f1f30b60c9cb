import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environment } from '../process/binaries.ts';
import { ManagedProcess, type ServerProcessOptions } from '../process/managed-process.ts';
import { freePort } from '../process/ports.ts';
import { RestartableServer } from '../process/restartable-server.ts';
import { findPostgres, openFolder, type PostgresPrograms, type UnixUser } from './postgres-programs.ts';

export interface PostgresOptions extends ServerProcessOptions {
  /** Default: a free one. */
  port?: number;
  /** Of the superuser; default: a random one. */
  password?: string;
  /** Further settings of the server, such as `{ max_connections: '200' }`. */
  settings?: Readonly<Record<string, string>>;
}

const run = promisify(execFile);

/** Nothing is to survive a power cut, but all that was committed survives a killed server. */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
};

interface Cluster {
  port: number;
  /** A private folder: the data, and the password for the time of its making. */
  dir: string;
  programs: PostgresPrograms;
}

/** A real PostgreSQL on 127.0.0.1 that came with the dependencies; its data go with it. */
export class PostgresServer extends RestartableServer {
  readonly port: number;
  /** Of its one database, with the name and password of the superuser. */
  readonly url: string;
  readonly #cluster: Cluster;

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const dir = await mkdtemp(join(await openFolder(), 'fanfare-postgres-'));
    try {
      const programs = await findPostgres(dir);
      const cluster = { port: options.port ?? (await freePort()), dir, programs };
      const password = options.password ?? randomBytes(16).toString('hex');
      await initialise(cluster, password);
      return new PostgresServer(options, { cluster, password, process: await serve(options, cluster) });
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(
    options: PostgresOptions,
    started: { cluster: Cluster; password: string; process: ManagedProcess },
  ) {
    super(started.process, () => serve(options, started.cluster));
    this.#cluster = started.cluster;
    this.port = started.cluster.port;
    this.url = `postgres://postgres:${started.password}@127.0.0.1:${this.port}/postgres`;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#cluster.dir, { recursive: true, force: true });
  }
}

const dataOf = ({ dir }: Cluster): string => join(dir, 'data');

const asUser = (user: UnixUser | undefined) => (user === undefined ? {} : { uid: user.uid, gid: user.gid });

const initialise = async (cluster: Cluster, password: string): Promise<void> => {
  const { programs, dir } = cluster;
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (programs.user !== undefined && userInfo().uid === 0) {
    await Promise.all(
      [dir, passwordFile].map((path) => chown(path, programs.user?.uid ?? 0, programs.user?.gid ?? 0)),
    );
  }
  const args = [`--pgdata=${dataOf(cluster)}`, '--username=postgres', `--pwfile=${passwordFile}`];
  await run(
    programs.initdb,
    [...args, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'],
    { ...asUser(programs.user), cwd: dir, env: environment({ LC_ALL: 'C' }) },
  );
  await rm(passwordFile);
};

const serve = async (options: PostgresOptions, cluster: Cluster): Promise<ManagedProcess> => {
  const { port, dir, programs } = cluster;
  const { port: _port, password: _password, settings = {}, ...processOptions } = options;
  const all = Object.entries({ ...SETTINGS, ...settings });
  const server = await ManagedProcess.start({
    ...processOptions,
    command: programs.postgres,
    args: [
      '-D',
      dataOf(cluster),
      '-p',
      String(port),
      ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    name: 'postgres',
    cwd: dir,
    dir,
    env: { LC_ALL: 'C' },
    // SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    ...(programs.user && { user: programs.user }),
  });
  try {
    await server.waitForLine((line) => line.includes('ready to accept connections'), { timeoutMs: 20_000 });
  } catch (error) {
    await server.stop('SIGKILL');
    throw error;
  }
  return server;
};
