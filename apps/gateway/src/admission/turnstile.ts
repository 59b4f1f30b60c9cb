/** Work that is let through at once, and from a certain number on in one of the next turns of the event loop. */
export type Turnstile = (work: () => void) => void;

/**
 * Lets `perTurn` pieces of work through in a turn of the event loop and keeps the order. Very many clients that arrive
 * in the same moment are all read in one turn: without this everybody else waits until the last of them is in.
 */
export function createTurnstile(perTurn: number): Turnstile {
  let waiting: (() => void)[] = [];
  let passed = 0;
  const nextTurn = () => {
    passed = 0;
    const due = waiting.slice(0, perTurn);
    waiting = waiting.slice(perTurn);
    for (const work of due) pass(work);
  };
  const pass = (work: () => void) => {
    if (passed === 0) setImmediate(nextTurn);
    passed += 1;
    work();
  };
  return (work) => {
    if (passed < perTurn) pass(work);
    else waiting.push(work);
  };
}
