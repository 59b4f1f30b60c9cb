import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { env as inherited } from 'node:process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type TargetAnswer, targetAnswer } from '../targets/control.ts';

export interface TargetOptions {
  name: string;
  /** The program and its arguments. */
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
}

/** The log line with which a gateway or an api says that it takes connections. */
const listening = z.object({ msg: z.literal('listening'), port: z.int() });

const KEPT_LINES = 50;
const READY_TIMEOUT_MS = 30_000;

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};

/** A server under test: a process that takes commands on stdin and answers on stdout. */
export class Target implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ready = Promise.withResolvers<{ port: number; name: string }>();
  readonly #gone: Promise<unknown>;
  #waiting: { resolve: (answer: TargetAnswer) => void; reject: (error: Error) => void } | undefined;

  static async start(options: TargetOptions): Promise<Target> {
    const target = new Target(options);
    const timer = setTimeout(
      () => target.#fail(`was not ready after ${READY_TIMEOUT_MS} ms`),
      READY_TIMEOUT_MS,
    );
    try {
      const { port, name } = await target.#ready.promise;
      target.port = port;
      target.detail = name;
      return target;
    } catch (error) {
      await target[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  port = 0;
  /** What the target says of itself: for the limit, which program it is. */
  detail = '';

  private constructor({ name, command, env }: TargetOptions) {
    const [program = '', ...args] = command;
    this.name = name;
    this.#child = spawn(program, args, { env: { ...inherited, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#gone = once(this.#child, 'exit');
    this.#gone.then(
      () => this.#fail('ended'),
      (error: unknown) => this.#fail(`could not be started: ${error}`),
    );
    this.#child.stdin?.on('error', () => undefined);
    for (const input of [this.#child.stdout, this.#child.stderr]) {
      if (input) createInterface({ input }).on('line', (line) => this.#take(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Broadcasts for `ms` and returns the last sequence number of the target so far. */
  async ticks(order: { rooms: number; perTick: number; ms: number; gapMs: number }) {
    const { rooms, perTick, ms, gapMs } = order;
    const result = await this.#command(`ticks ${rooms} ${perTick} ${ms} ${gapMs}`);
    if (result.bench !== 'ticks') throw new Error(`${this.name} answered ${result.bench}`);
    return result;
  }

  /** Deals the connections to come to so many small rooms. */
  async deal(rooms: number): Promise<void> {
    await this.#command(`deal ${rooms}`);
  }

  /** Heap after a garbage collection, in bytes. */
  async memory() {
    const result = await this.#command('memory');
    if (result.bench !== 'memory') throw new Error(`${this.name} answered ${result.bench}`);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
      return;
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  #command(line: string): Promise<TargetAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.stdin?.write(`${line}\n`);
    });
  }

  #take(line: string): void {
    const value = parse(line);
    const answer = targetAnswer.safeParse(value);
    if (answer.success && answer.data.bench === 'ready') this.#ready.resolve(answer.data);
    else if (answer.success) this.#waiting?.resolve(answer.data);
    else {
      const log = listening.safeParse(value);
      if (log.success) this.#ready.resolve({ port: log.data.port, name: '' });
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    }
  }

  #fail(what: string): void {
    const error = new Error(`${this.name} ${what}. Its last output:\n${this.#lines.join('\n')}`);
    this.#ready.reject(error);
    this.#ready.promise.catch(() => undefined);
    this.#waiting?.reject(error);
  }
}
