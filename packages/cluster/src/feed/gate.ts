/** Lets so much work be under way at once; the rest waits in order. */
export interface Gate {
  /** Settles as the work does. Work that waits while other work fails is refused with the same error, not begun. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * After an outage every room of a node reads its log. All at once, the replies would be taken in one turn of the event
 * loop, which holds up everything else and lets the commands behind them time out.
 */
export function createGate(places: number): Gate {
  let free = places;
  const waiting: PromiseWithResolvers<void>[] = [];
  const enter = async (): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    waiting.push(turn);
    await turn.promise;
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next.resolve();
  };
  return {
    run: async (work) => {
      await enter();
      try {
        return await work();
      } catch (error) {
        // What did not answer one does not answer the others: nobody waits for the timeouts of all before.
        for (const turn of waiting.splice(0)) turn.reject(error);
        throw error;
      } finally {
        leave();
      }
    },
  };
}
