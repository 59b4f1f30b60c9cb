import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { eventually } from './eventually.ts';
import { findBinary, NGINX } from './process/binaries.ts';
import { ManagedProcess, type ServerProcessOptions } from './process/managed-process.ts';
import { RestartableServer } from './process/restartable-server.ts';

export interface NginxOptions extends ServerProcessOptions {
  /** nginx's prefix: holds `nginx.conf` and all that it includes. The configuration has to set `pid`. */
  dir: string;
}

/** A real nginx in the foreground, with the `nginx.conf` of a folder. */
export class NginxServer extends RestartableServer {
  /** nginx's prefix, which holds its configuration and what it writes. */
  readonly dir: string;

  /** Rejects with nginx's own words when the configuration is wrong or a port is taken. */
  static async start(options: NginxOptions): Promise<NginxServer> {
    return new NginxServer(options, await run(options));
  }

  private constructor(options: NginxOptions, process: ManagedProcess) {
    super(process, () => run(options));
    this.dir = options.dir;
  }

  /** Sends a signal without waiting: SIGHUP reloads; after SIGKILL its workers go on serving. Default SIGTERM. */
  override kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    super.kill(signal);
  }
}

const run = async ({ dir, ...processOptions }: NginxOptions): Promise<ManagedProcess> => {
  const command = await findBinary(NGINX);
  const files = ['-e', 'stderr', '-p', dir, '-c', resolve(dir, 'nginx.conf')];
  const setting = await settingsOf(command, files);
  const pidFile = resolve(dir, setting('pid') ?? '');
  const server = await ManagedProcess.start({
    command,
    args: setting('daemon') === 'off' ? files : [...files, '-g', 'daemon off;'],
    ...processOptions,
  });
  try {
    await server.untilReady(eventually(() => assertListens(pidFile, server.pid), { timeoutMs: 10_000 }));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
};

/** Has nginx check its configuration and read out all files of it, to look up its simple directives. */
const settingsOf = async (command: string, files: readonly string[]) => {
  const lines: string[] = [];
  const check = await ManagedProcess.start({
    command,
    args: [...files, '-T', '-q'],
    onLine: (line) => lines.push(line),
  });
  const { code } = await check.exited;
  if (code !== 0) throw check.failure('refuses its configuration');
  const setting = (name: string): string | undefined => {
    const directive = new RegExp(`^\\s*${name}\\s+"?([^;"]+)"?;`);
    return lines.map((line) => directive.exec(line)?.[1]).find(Boolean);
  };
  if (!setting('pid')) throw new Error('nginx.conf has to set "pid", so that its readiness can be seen.');
  return setting;
};

/** nginx writes its pid after it listens on all its ports. */
const assertListens = async (pidFile: string, pid: number): Promise<void> => {
  const written = await readFile(pidFile, 'utf8');
  if (Number(written) !== pid) throw new Error(`${pidFile} holds ${written.trim()}, not ${pid}`);
};
