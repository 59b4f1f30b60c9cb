/** Longest time that such work takes in one turn of the event loop, in ms; the last piece of each kind may take longer. */
const BUDGET_MS = 5;

/** In the order in which it is done: what was begun is finished, and out of memory, before more is begun. */
const KINDS = ['answer', 'work'] as const;
export type TurnKind = (typeof KINDS)[number];

/** Work that is wanted at the same moment for very many sockets, dealt out over the turns of the event loop. */
export interface Turns {
  /**
   * Runs the work and settles as it does: at once where this turn has time left and nothing of the kind waits, else in a
   * later turn, in the order of the calls.
   */
  run<T>(kind: TurnKind, work: () => T | Promise<T>): Promise<T>;
}

/**
 * After an outage everybody comes back at once, and the sockets that are ready are all served in one turn of the event
 * loop: without this, other clients and Redis wait for all of them. Each kind gets something done in every turn.
 */
export function createTurns(): Turns {
  const waiting = KINDS.map((): (() => void)[] => []);
  /** Queues of which nothing was done yet in this turn. */
  let firsts: (() => void)[][] = [];
  let until = 0;
  let isScheduled = false;

  const takeTurn = (): void => {
    firsts = waiting.filter(({ length }) => length > 0);
    isScheduled = firsts.length > 0;
    until = performance.now() + BUDGET_MS;
    if (isScheduled) goOn();
  };
  const goOn = (): void => {
    const isInTime = performance.now() < until;
    const queue = firsts.shift() ?? (isInTime ? waiting.find(({ length }) => length > 0) : undefined);
    if (queue === undefined) {
      setImmediate(takeTurn);
      return;
    }
    queue.shift()?.();
    // A tick that a microtask asks for comes once all that the work has led to is done, and still in this turn.
    queueMicrotask(() => process.nextTick(goOn));
  };
  const hasTimeFor = (place: number): boolean => {
    if (!isScheduled) {
      isScheduled = true;
      until = performance.now() + BUDGET_MS;
      setImmediate(takeTurn);
      return true;
    }
    return waiting.every(({ length }, i) => i > place || length === 0) && performance.now() < until;
  };
  return {
    run: (kind, work) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        };
        const place = KINDS.indexOf(kind);
        if (hasTimeFor(place)) settle();
        else waiting[place]?.push(settle);
      }),
  };
}
