import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallName, Calls, Request, Response } from './calls.ts';

const WORKER = fileURLToPath(new URL('../worker-main.ts', import.meta.url));

/** A load worker process and the calls under way to it. */
class LoadWorker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  #nextId = 0;

  constructor(pinned: readonly string[]) {
    const [command = process.execPath, ...args] = [...pinned, process.execPath];
    this.#child = spawn(command, [...args, '--conditions=source', WORKER], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Histograms and results travel as they are.
      serialization: 'advanced',
    });
    this.#child.on('message', (response: Response) => this.#take(response));
    this.#child.once('exit', (code, signal) => {
      const error = new Error(`a load worker ended (${signal ?? code})`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<Name extends CallName>(name: Name, order: Calls[Name]['order']): Promise<Calls[Name]['result']> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // The worker answers a call with the result type of its name: `LoadService.calls` is checked against `Calls`.
      this.#waiting.set(id, { resolve: (result) => resolve(result as Calls[Name]['result']), reject });
      this.#child.send({ id, name, order } as Request, (error) => {
        if (error) reject(error);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }

  #take(response: Response): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if ('error' in response) waiting?.reject(new Error(response.error));
    else waiting?.resolve(response.result);
  }
}

/** The load worker processes of one run; ends them when it is disposed of. */
export class WorkerPool implements AsyncDisposable {
  readonly #workers: LoadWorker[];

  /** @param pinned Words before the command of each worker, such as `taskset -c 1`. */
  constructor(size: number, pinned: readonly string[] = []) {
    this.#workers = Array.from({ length: size }, () => new LoadWorker(pinned));
  }

  get size(): number {
    return this.#workers.length;
  }

  get pids(): number[] {
    return this.#workers.map((worker) => worker.pid);
  }

  /** Asks every worker at once; `order` says what each one shall do. */
  call<Name extends CallName>(
    name: Name,
    order: (worker: number) => Calls[Name]['order'],
  ): Promise<Calls[Name]['result'][]> {
    return Promise.all(this.#workers.map((worker, index) => worker.call(name, order(index))));
  }

  /** Asks one worker. */
  ask<Name extends CallName>(
    worker: number,
    name: Name,
    order: Calls[Name]['order'],
  ): Promise<Calls[Name]['result']> {
    const asked = this.#workers[worker];
    if (!asked) throw new RangeError(`there is no load worker ${worker}`);
    return asked.call(name, order);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
  }
}
