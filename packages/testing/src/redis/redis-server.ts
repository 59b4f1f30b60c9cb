import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, within } from '../eventually.ts';
import { findBinary, REDIS } from '../process/binaries.ts';
import { ManagedProcess, type ServerProcessOptions } from '../process/managed-process.ts';
import { freePort } from '../process/ports.ts';
import { RestartableServer } from '../process/restartable-server.ts';
import { askRedis } from './redis-command.ts';

export interface RedisOptions extends ServerProcessOptions {
  /** Default: a free one. */
  port?: number;
  /** Folder of its data, kept when it stops; default: a private one that goes with the server. */
  dir?: string;
  /** Path of a configuration file; where it listens and writes is this server's own. */
  config?: string;
  /** User and password that its `url` has, up to the `@`; the configuration has to know them. */
  login?: string;
  /** Further arguments such as `['--appendonly', 'yes']`; without them or `config` nothing is written to disk. */
  args?: readonly string[];
}

/** A real redis-server (or valkey-server) on 127.0.0.1. */
export class RedisServer extends RestartableServer {
  readonly port: number;
  readonly url: string;
  readonly #options: RedisOptions;
  readonly #dir: string;

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const port = options.port ?? (await freePort());
    const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'fanfare-redis-')));
    try {
      return new RedisServer(options, { port, dir, process: await run(options, port, dir) });
    } catch (error) {
      if (!options.dir) await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(
    options: RedisOptions,
    started: { port: number; dir: string; process: ManagedProcess },
  ) {
    super(started.process, () => run(options, started.port, started.dir));
    this.#options = options;
    this.port = started.port;
    this.url = `redis://${options.login ?? ''}127.0.0.1:${started.port}`;
    this.#dir = started.dir;
  }

  /** Sends one command whose arguments need no quotes; resolves with the reply as Redis wrote it. */
  ask(command: string): Promise<string> {
    return askRedis(this.port, command);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    if (!this.#options.dir) await rm(this.#dir, { recursive: true, force: true });
  }
}

/** What a configuration file says of its machine; a folder that is not there would end the server. */
const OF_THE_MACHINE = /^\s*(bind|port|dir|protected-mode)\s.*$/gm;

const adoptConfig = async (path: string, dir: string): Promise<string> => {
  const adopted = join(dir, 'redis.conf');
  await writeFile(adopted, (await readFile(path, 'utf8')).replaceAll(OF_THE_MACHINE, ''));
  return adopted;
};

const run = async (options: RedisOptions, port: number, dir: string): Promise<ManagedProcess> => {
  const { port: _port, login: _login, dir: kept, config, args = [], ...processOptions } = options;
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir];
  const server = await ManagedProcess.start({
    command: await findBinary(REDIS),
    args:
      config === undefined
        ? [...fixed, '--save', '', '--appendonly', 'no', ...args]
        : [await adoptConfig(config, dir), ...fixed, ...args],
    ...(kept === undefined && { dir }),
    ...processOptions,
  });
  try {
    await server.untilReady(eventually(() => assertAnswers(port, server.pid), { timeoutMs: 10_000 }));
  } catch (error) {
    await server.stop('SIGKILL');
    throw error;
  }
  return server;
};

/**
 * Asks for the process id: another server on the same port must not pass for this one, and one that is still reading its
 * log tells it as well.
 */
const assertAnswers = async (port: number, pid: number): Promise<void> => {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.setEncoding('utf8').write('INFO server persistence\r\n');
    const [reply] = await within(once(socket, 'data'), 1_000, () => new Error('no answer'));
    const text = String(reply);
    const isOurs = text.includes(`process_id:${pid}\r\n`) && text.includes('\nloading:0\r\n');
    if (!isOurs && !/^-(NOAUTH|NOPERM)/.test(text)) throw new Error(text);
  } finally {
    socket.destroy();
  }
};
