import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findBinary, NGINX } from './binaries.ts';
import { eventually } from './eventually.ts';
import { ManagedProcess, type ProcessOptions } from './managed-process.ts';

export interface NginxOptions extends Pick<ProcessOptions, 'detached' | 'onLine'> {
  /** nginx's prefix: holds `nginx.conf` and all that it includes. The configuration has to set `pid`. */
  dir: string;
}

/** A real nginx in the foreground, with the `nginx.conf` of a folder. */
export class NginxServer implements AsyncDisposable {
  readonly process: ManagedProcess;

  /** Rejects with nginx's own words when the configuration is wrong or a port is taken. */
  static async start(options: NginxOptions): Promise<NginxServer> {
    const { dir, detached, onLine } = options;
    const command = await findBinary(NGINX);
    const files = ['-e', 'stderr', '-p', dir, '-c', resolve(dir, 'nginx.conf')];
    const setting = await settingsOf(command, files);
    const pidFile = resolve(dir, setting('pid') ?? '');
    const server = await ManagedProcess.start({
      command,
      args: setting('daemon') === 'off' ? files : [...files, '-g', 'daemon off;'],
      ...(detached !== undefined && { detached }),
      ...(onLine && { onLine }),
    });
    try {
      await server.untilReady(eventually(() => assertListens(pidFile, server.pid), { timeoutMs: 10_000 }));
    } catch (error) {
      await server.stop();
      throw error;
    }
    return new NginxServer(server);
  }

  private constructor(process: ManagedProcess) {
    this.process = process;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Sends a signal without waiting: SIGHUP reloads; after SIGKILL its workers go on serving. Default SIGTERM. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.process.kill(signal);
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
  }
}

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
