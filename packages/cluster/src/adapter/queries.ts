import { randomBytes } from 'node:crypto';

/** What a query got: the answers of the living nodes, and whether some node did not answer in time. */
export interface Answers {
  answers: unknown[];
  isComplete: boolean;
}

interface OpenQuery {
  answers: unknown[];
  expected: number;
  finish: (isComplete: boolean) => void;
}

/** Questions of this node that other nodes are still answering. */
export class Queries {
  readonly #open = new Map<string, OpenQuery>();

  /** Sends a question and resolves with what came back, at the latest when the time is over. */
  ask(options: { expected: number; timeoutMs: number; send: (requestId: string) => void }): Promise<Answers> {
    if (options.expected <= 0) return Promise.resolve({ answers: [], isComplete: true });
    const requestId = randomBytes(6).toString('hex');
    return new Promise((resolve) => {
      const query: OpenQuery = {
        answers: [],
        expected: options.expected,
        finish: (isComplete) => {
          clearTimeout(timer);
          this.#open.delete(requestId);
          resolve({ answers: query.answers, isComplete });
        },
      };
      const timer = setTimeout(() => query.finish(false), options.timeoutMs);
      this.#open.set(requestId, query);
      options.send(requestId);
    });
  }

  /** One node's answer; one that nobody waits for any more is ignored. */
  answer(requestId: string, value: unknown): void {
    const query = this.#open.get(requestId);
    if (query === undefined) return;
    query.answers.push(value);
    if (query.answers.length >= query.expected) query.finish(true);
  }

  close(): void {
    for (const query of [...this.#open.values()]) query.finish(false);
  }
}
