import type { ManagedProcess } from './managed-process.ts';

/** A server that can be ended and brought back as it was. */
export abstract class RestartableServer implements AsyncDisposable {
  readonly #start: () => Promise<ManagedProcess>;
  #process: ManagedProcess;
  #isDisposed = false;

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

  /**
   * A new process, on the same port and with the same files; ends the old one first when it still runs. Rejects once it is
   * disposed of, as whatever goes on after the time limit of its test finds.
   */
  async restart(): Promise<void> {
    await this.#process.stop();
    this.#assertKept();
    this.#process = await this.#start();
    if (this.#isDisposed) await this.#process.stop();
    this.#assertKept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#process.stop();
  }

  #assertKept(): void {
    if (this.#isDisposed)
      throw new Error(`This ${this.#process.name} was disposed of, and its files with it.`);
  }
}
