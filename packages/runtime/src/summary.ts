/**
 * Tells of what may happen very often: of the first time at once, and of those that follow in one summary after each
 * interval. Nothing runs while nothing happens.
 */
export function createSummary<Kind extends string>(
  tell: (kind: Kind, times: number) => void,
  everyMs = 10_000,
): (kind: Kind) => void {
  const seen = new Map<Kind, number>();
  const summarize = (): void => {
    for (const [kind, times] of seen) {
      if (times === 0) seen.delete(kind);
      else {
        tell(kind, times);
        seen.set(kind, 0);
      }
    }
    if (seen.size > 0) setTimeout(summarize, everyMs).unref();
  };
  return (kind) => {
    const times = seen.get(kind);
    if (seen.size === 0) setTimeout(summarize, everyMs).unref();
    seen.set(kind, times === undefined ? 0 : times + 1);
    if (times === undefined) tell(kind, 1);
  };
}
