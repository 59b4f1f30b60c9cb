import { once } from 'node:events';
import { ConfigError, type Env } from './config.ts';
import { hideCredentials } from './secret.ts';

/** A process's work: take traffic, give it up in order, release everything. */
export interface Service extends AsyncDisposable {
  listen(): Promise<void>;
  /** Stops taking new work and waits for what is under way. */
  drain(): Promise<void>;
}

/** The machine does not allow a start (a taken port, say): one clear sentence, no stack. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }

  static fromListen(
    cause: NodeJS.ErrnoException,
    where: { host: string; port: number; setting: string },
  ): StartError {
    const reason =
      cause.code === 'EADDRINUSE'
        ? `port ${where.port} on ${where.host} is taken: stop what uses it or set ${where.setting} to another one`
        : cause.code === 'EACCES'
          ? `port ${where.port} needs more rights: set ${where.setting} to one above 1023`
          : `cannot listen on ${where.host}:${where.port} (${cause.code ?? cause.message}): check ${where.setting} and the host`;
    return new StartError(`${reason[0]?.toUpperCase()}${reason.slice(1)}.`, { cause });
  }
}

const EXIT_CONFIG = 78;

/** Prints one sentence and exits for what a person can mend; everything else crashes with its stack. */
const exitOnKnownFailure = (error: unknown): never => {
  if (error instanceof ConfigError || error instanceof StartError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
  throw error;
};

/** Secrets print as `[redacted]` by themselves; a password may also stand in a URL. */
const printable = (config: object): string =>
  JSON.stringify(config, (_, value) => (typeof value === 'string' ? hideCredentials(value) : value), 2);

/**
 * The whole life of a process: configuration (`--check-config` and `--print-config` stop there), start, signals,
 * drain, disposal. SIGINT and SIGTERM drain; the same signal again ends at once with code 1, and so does a process
 * that is not gone `shutdownMs` after the first.
 */
export async function runMain<Config extends { shutdownMs: number; warnings?: readonly string[] }>(options: {
  load: (env: Env) => Config;
  start: (config: Config) => Promise<Service>;
}): Promise<void> {
  try {
    const config = options.load(process.env);
    if (process.argv.includes('--check-config')) {
      const warnings = (config.warnings ?? []).map((warning) => `Warning: ${warning}\n`);
      process.stdout.write(`${warnings.join('')}The configuration is good.\n`);
    } else if (process.argv.includes('--print-config')) {
      process.stdout.write(`${printable(config)}\n`);
    } else {
      await runService(() => options.start(config), config.shutdownMs);
      // A library's idle handle must not keep a process whose work is done.
      process.exit(0);
    }
  } catch (error) {
    exitOnKnownFailure(error);
  }
}

/** Stops this process as its supervisor would. */
export const requestStop = (): void => {
  process.kill(process.pid, 'SIGTERM');
};

async function runService(start: () => Promise<Service>, shutdownMs: number): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Ctrl-C reaches the workers of a node too; the SIGTERM of their primary must not cut their drain short.
      if (stop.signal.reason === signal) process.exit(1);
      if (stop.signal.aborted) return;
      stop.abort(signal);
      setTimeout(() => process.exit(1), shutdownMs);
    });
  }
  await using service = await start();
  await service.listen();
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  await service.drain();
}
