/**
 * The times, in ms since the start, at which an open-loop generator sends: number 0, 1, 2, …
 * The rate rises in a straight line from 0 during `rampMs` and then stays at `perSecond`.
 */
export const dueTimes = ({
  perSecond,
  rampMs,
}: {
  perSecond: number;
  rampMs: number;
}): ((index: number) => number) => {
  const perMs = perSecond / 1_000;
  const inRamp = (perMs * rampMs) / 2;
  return (index) =>
    index < inRamp ? Math.sqrt((2 * rampMs * index) / perMs) : rampMs + (index - inRamp) / perMs;
};

/** A timer is up to 1.5 ms late. Where sends are farther apart than this, the last stretch is waited out awake. */
const PRECISE_FROM_MS = 5;
const TIMER_ERROR_MS = 1.5;

/**
 * Calls `send(index, dueMs)` at its due time for every index, whether or not earlier calls have been answered,
 * until `durationMs` are over. A late timer sends all that is due at once: nothing is left out.
 */
export const runOpenLoop = (options: {
  due: (index: number) => number;
  durationMs: number;
  send: (index: number, dueMs: number) => void;
}): Promise<void> => {
  const { due, durationMs, send } = options;
  const started = performance.now();
  let index = 0;
  return new Promise((resolve) => {
    const turn = (): void => {
      const now = performance.now() - started;
      for (let at = due(index); at <= now && at < durationMs; at = due(index)) send(index++, at);
      const next = due(index);
      const early = next - (performance.now() - started);
      if (next >= durationMs) resolve();
      else if (due(index + 1) - next < PRECISE_FROM_MS) setTimeout(turn, Math.max(1, early));
      else if (early > TIMER_ERROR_MS) setTimeout(turn, early - TIMER_ERROR_MS);
      else setImmediate(turn);
    };
    turn();
  });
};
