import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../eventually.ts';
import { environment } from './binaries.ts';
import { createLifeline } from './lifeline.ts';

const KEPT_LINES = 1_000;

export interface ProcessOptions {
  /** Path or name of the program. */
  command: string;
  args?: readonly string[];
  /** Changes to the inherited environment; `undefined` removes a name. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** What errors call it; default: the name of the program. */
  name?: string;
  /** Bound between SIGTERM and SIGKILL when it is stopped; default 5000. */
  killAfterMs?: number;
  /** A process group of its own: Ctrl-C in the terminal does not reach it. Default false. */
  detached?: boolean;
  /** Whom it runs as, where that is another user than the caller. */
  user?: { uid: number; gid: number };
  /** What asks it to end; default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** A folder of its own, removed only when its owner is killed and cannot do it. */
  dir?: string;
  /** Hears every line as it comes. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Told of the process as soon as it runs, ready or not; of a server, at every restart too. */
  onStart?: (started: ManagedProcess) => void;
}

/** What a server that is made of processes passes on to each of them. */
export type ServerProcessOptions = Pick<ProcessOptions, 'detached' | 'onLine' | 'onStart'>;

/** How a process ended: one of the two is not null. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process that ends with its owner, even a killed one, and whose failures carry its output. */
export class ManagedProcess implements AsyncDisposable {
  readonly pid: number;
  readonly name: string;
  /** Settles when the process is gone and its output is read; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #killAfterMs: number;
  readonly #detached: boolean;
  readonly #stopSignal: NodeJS.Signals;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<(line: string) => void>();

  /** Starts a program; rejects when it cannot be started at all. */
  static async start(options: ProcessOptions): Promise<ManagedProcess> {
    const child = spawn(options.command, options.args ?? [], {
      cwd: options.cwd,
      env: environment(options.env),
      detached: options.detached ?? false,
      ...options.user,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      await once(child, 'spawn');
    } catch (error) {
      // The system says the same of a missing folder as of a missing program.
      const { cwd } = options;
      const reason = cwd === undefined || existsSync(cwd) ? '' : `: its folder ${cwd} is not there`;
      throw new Error(`${options.name ?? options.command} could not be started${reason}.`, { cause: error });
    }
    const started = new ManagedProcess(child, options);
    options.onStart?.(started);
    return started;
  }

  private constructor(child: ChildProcess, options: ProcessOptions) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.name = options.name ?? basename(options.command);
    this.#detached = options.detached ?? false;
    this.#stopSignal = options.stopSignal ?? 'SIGTERM';
    this.#killAfterMs = options.killAfterMs ?? 5_000;
    const gone = createLifeline({ pid: this.pid, isLeader: this.#detached, dir: options.dir });
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => gone().then(() => resolve({ code, signal })));
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = child[stream];
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        this.#keep(line);
        options.onLine?.(line, stream);
      });
    }
  }

  /** The last 1000 lines of both streams. */
  get output(): string {
    return this.#lines.join('\n');
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * The first line, already written or still to come, that `predicate` is true for. Rejects with the
   * process's output when it ends before or says nothing of the kind within `timeoutMs` (default 10000).
   */
  async waitForLine(
    predicate: (line: string) => boolean,
    options: { timeoutMs?: number } = {},
  ): Promise<string> {
    const { timeoutMs = 10_000 } = options;
    const written = this.#lines.find(predicate);
    if (written !== undefined) return written;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const listener = (line: string) => {
      if (predicate(line)) resolve(line);
    };
    this.#waiting.add(listener);
    this.exited.then((exit) => reject(this.failure(describeExit(exit))));
    try {
      return await within(promise, timeoutMs, () =>
        this.failure(`did not write the expected line within ${timeoutMs} ms`),
      );
    } finally {
      this.#waiting.delete(listener);
    }
  }

  /** Settles as `ready` does, unless the process ends before: then rejects with its output. */
  async untilReady<T>(ready: Promise<T>): Promise<T> {
    const ended = this.exited.then((exit) => {
      throw this.failure(describeExit(exit));
    });
    return Promise.race([ready, ended]);
  }

  /** An error about this process that carries its output. */
  failure(what: string): Error {
    return new Error(`${this.name} ${what}.${this.output ? ` Its output:\n${this.output}` : ''}`);
  }

  /**
   * Sends a signal without waiting; false when the process is gone. Default SIGTERM.
   * SIGKILL takes the children of a detached process with it, as they get no chance to be told.
   */
  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    if (signal !== 'SIGKILL' || !this.#detached || !this.isRunning) return this.#child.kill(signal);
    return process.kill(-this.pid, signal);
  }

  /** Asks it to end, after the bound forces it to, and returns how it ended. */
  async stop(signal: NodeJS.Signals = this.#stopSignal): Promise<Exit> {
    if (this.isRunning) this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), this.#killAfterMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    for (const listener of this.#waiting) listener(line);
  }
}

const describeExit = ({ code, signal }: Exit): string =>
  signal ? `was ended by ${signal}` : `ended with code ${code}`;
