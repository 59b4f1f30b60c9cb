/** Longest time that answers take in one turn of the event loop, in ms; the last one may take longer. */
const BUDGET_MS = 5;

/** Work that is ready at the same moment for very many sockets, dealt out over the turns of the event loop. */
export interface Turns {
  /** Runs the work in its turn, in the order of the calls, and settles as it does. */
  run<T>(work: () => T): Promise<T>;
}

/**
 * A page of a room's log is read once for all who come back from an outage, so all of their answers are ready in one
 * turn: without this they are written in one go, while every other client and Redis wait.
 */
export function createTurns(): Turns {
  const waiting: (() => void)[] = [];
  let isScheduled = false;
  const schedule = () => {
    isScheduled = true;
    setImmediate(takeTurn);
  };
  const takeTurn = () => {
    isScheduled = false;
    const until = performance.now() + BUDGET_MS;
    while (waiting.length > 0 && performance.now() < until) waiting.shift()?.();
    if (waiting.length > 0) schedule();
  };
  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        });
        if (!isScheduled) schedule();
      }),
  };
}
