import type { ManagedProcess } from './managed-process.ts';

/** A server that can be ended and brought back as it was. */
export abstract class RestartableServer implements AsyncDisposable {
  readonly #start: () => Promise<ManagedProcess>;
  #process: ManagedProcess;

  /** `start` makes a new process with the same ports, folders and arguments. */
  protected constructor(process: ManagedProcess, start: () => Promise<ManagedProcess>) {
    this.#process = process;
    this.#start = start;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get process(): ManagedProcess {
    return this.#process;
  }

  /** Sends a signal without waiting. Default SIGKILL. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#process.kill(signal);
  }

  /** Ends it; `restart()` brings it back on the same port. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** A new process, on the same port and with the same files; ends the old one first when it still runs. */
  async restart(): Promise<void> {
    await this.#process.stop();
    this.#process = await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
