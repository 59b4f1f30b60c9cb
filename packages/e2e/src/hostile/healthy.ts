import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';

export const healthyOptions = z.object({
  /** The public address, where events are published. */
  url: z.string(),
  apiKey: z.string(),
  token: z.string(),
  /** Addresses of the nodes that the clients are spread over. */
  nodes: z.array(z.string()),
  clients: z.int(),
  /** A multiple of it is the number of clients. Client and node numbers are not of one parity in all rooms. */
  rooms: z.int(),
});
export type HealthyOptions = z.infer<typeof healthyOptions>;

const windowShape = z.object({
  heard: z.int(),
  /** From the publish to a member, in ms. */
  p50: z.number(),
  p99: z.number(),
  max: z.number(),
  disconnects: z.int(),
  /** Events that not every member of their room has heard. */
  unheard: z.int(),
  /** Publishes that were not accepted. */
  refused: z.int(),
});
export type Window = z.infer<typeof windowShape>;

/** Clients that do nothing wrong, while others do. */
export class Healthy implements AsyncDisposable {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(options: HealthyOptions): Promise<Healthy> {
    const worker = new Worker(new URL('./healthy-worker.ts', import.meta.url), {
      workerData: options,
      execArgv: ['--conditions=source'],
    });
    await once(worker, 'message');
    return new Healthy(worker);
  }

  /** What they measured since the last call; goes on until they heard `atLeast` events, or could not within 10 s. */
  async window(atLeast = 0): Promise<Window> {
    const answer = once(this.#worker, 'message');
    this.#worker.postMessage(atLeast);
    return windowShape.parse((await answer)[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
