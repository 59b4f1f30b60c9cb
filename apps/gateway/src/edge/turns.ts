/** Longest time that such work takes in one turn of the event loop, in ms; the last piece of each kind may take longer. */
const BUDGET_MS = 5;
/**
 * Pieces of work that wait for something else at once: with 700 joins under way instead of 32, what they hold outlives the
 * young space of V8, and its collections take 200 ms on a busy machine.
 */
const MOST_UNDER_WAY = 32;
/** What waits longer for something holds up nobody else, in ms. */
const SLOW_MS = 100;

/** In the order in which it is done: what was begun is finished, and out of memory, before more is begun. */
const KINDS = ['answer', 'work'] as const;
export type TurnKind = (typeof KINDS)[number];

/** Work that is wanted at the same moment for very many sockets, dealt out over the turns of the event loop. */
export interface Turns {
  /**
   * Runs the work and settles as it does: at once where this turn has time left and nothing of the kind waits, else in a
   * later turn, in the order of the calls. `work` also waits while too much of it is under way.
   */
  run<T>(kind: TurnKind, work: () => T | Promise<T>): Promise<T>;
}

/**
 * After an outage everybody comes back at once, and the sockets that are ready are all served in one turn of the event
 * loop: without this, other clients and Redis wait for all of them. Each kind gets something done in every turn.
 */
export function createTurns(): Turns {
  const waiting: Record<TurnKind, (() => void)[]> = { answer: [], work: [] };
  /** Kinds of which nothing was done yet in this turn. */
  let firsts: TurnKind[] = [];
  let until = 0;
  let isScheduled = false;
  let underWay = 0;

  const hasPlace = (kind: TurnKind): boolean => kind === 'answer' || underWay < MOST_UNDER_WAY;
  const isDue = (kind: TurnKind): boolean => waiting[kind].length > 0 && hasPlace(kind);
  const takeTurn = (): void => {
    firsts = KINDS.filter(isDue);
    isScheduled = firsts.length > 0;
    until = performance.now() + BUDGET_MS;
    if (isScheduled) goOn();
  };
  const goOn = (): void => {
    const isInTime = performance.now() < until;
    const kind = firsts.shift() ?? (isInTime ? KINDS.find(isDue) : undefined);
    if (kind === undefined) {
      setImmediate(takeTurn);
      return;
    }
    waiting[kind].shift()?.();
    // A tick that a microtask asks for comes once all that the work has led to is done, and still in this turn.
    queueMicrotask(() => process.nextTick(goOn));
  };
  const hasTimeFor = (kind: TurnKind): boolean => {
    if (!hasPlace(kind)) return false;
    if (!isScheduled) {
      isScheduled = true;
      until = performance.now() + BUDGET_MS;
      setImmediate(takeTurn);
      return true;
    }
    const before = KINDS.slice(0, KINDS.indexOf(kind) + 1);
    return !before.some(isDue) && performance.now() < until;
  };
  const takePlace = (work: Promise<unknown>): void => {
    underWay += 1;
    let isOver = false;
    const leave = () => {
      clearTimeout(timer);
      if (isOver) return;
      isOver = true;
      underWay -= 1;
      if (isScheduled || !isDue('work')) return;
      isScheduled = true;
      setImmediate(takeTurn);
    };
    const timer = setTimeout(leave, SLOW_MS);
    work.then(leave, leave);
  };
  return {
    run: (kind, work) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          try {
            const result = work();
            if (kind === 'work' && result instanceof Promise) takePlace(result);
            resolve(result);
          } catch (error) {
            reject(error);
          }
        };
        if (hasTimeFor(kind)) settle();
        else waiting[kind].push(settle);
      }),
  };
}
