import { PAGE_BYTES } from '../event-log/event-log.ts';
import type { LoggedEvent } from '../event-log/wire.ts';
import { createGate } from './gate.ts';

/** Reads of one request under way at once: what they bring beyond the budget is let go of. */
const READS = 4;

/** What the answers of one request that joins several rooms may hold together: as much as the answer of one room. */
export class JoinBudget {
  readonly #reads = createGate(READS);
  #readBytes = 0;
  #answeredBytes = 0;

  /** The rooms that are still to be answered have to be asked for again. */
  get isSpent(): boolean {
    return this.#answeredBytes >= PAGE_BYTES;
  }

  /** Reads the past of a room; undefined when other rooms have brought enough for this request. */
  read(work: () => Promise<readonly LoggedEvent[]>): Promise<readonly LoggedEvent[] | undefined> {
    return this.#reads.run(async () => {
      if (this.#readBytes >= PAGE_BYTES) return undefined;
      const events = await work();
      for (const { bytes } of events) this.#readBytes += bytes;
      return events;
    });
  }

  /** Whether so much more fits; the first of all always does. */
  spend(bytes: number): boolean {
    if (this.#answeredBytes > 0 && this.#answeredBytes + bytes > PAGE_BYTES) {
      this.#answeredBytes = PAGE_BYTES;
      return false;
    }
    this.#answeredBytes += bytes;
    return true;
  }
}
