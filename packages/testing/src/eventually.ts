import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_TIMEOUT_MS = 5_000;
const POLL_MS = 20;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Settles as `promise` does, or rejects with `late()` after `timeoutMs`. */
export const within = async <T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> => {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), timeoutMs);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Repeats `assertion` until it neither throws nor rejects, and returns its value.
 * @param options `timeoutMs`: default 5000; the last failure is the `cause` of the error after that.
 */
export const eventually = async <T>(
  assertion: () => T | Promise<T>,
  options: { timeoutMs?: number } = {},
): Promise<T> => {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  let last: unknown = new Error('the assertion never settled');
  const tooLate = () => new Error(`Not so within ${timeoutMs} ms: ${messageOf(last)}`, { cause: last });
  const attempt = async () => assertion();
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) throw tooLate();
    const outcome = await within(
      attempt().then(
        (value) => ({ value }),
        (error: unknown) => {
          last = error;
          return undefined;
        },
      ),
      left,
      tooLate,
    );
    if (outcome) return outcome.value;
    await delay(POLL_MS);
  }
};

/** What Node's EventEmitter and a Socket.IO socket have in common. */
export interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/**
 * The arguments of the next `event`.
 * @param options `timeoutMs`: default 5000. `where`: passes over the events that it is false for.
 */
export const nextEvent = async (
  emitter: Emitter,
  event: string,
  options: { timeoutMs?: number; where?: (...args: unknown[]) => boolean } = {},
): Promise<unknown[]> => {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, where = () => true } = options;
  const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
  const listener = (...args: unknown[]) => {
    try {
      if (where(...args)) resolve(args);
    } catch (error) {
      reject(error);
    }
  };
  emitter.on(event, listener);
  try {
    return await within(promise, timeoutMs, () => new Error(`No "${event}" within ${timeoutMs} ms.`));
  } finally {
    emitter.off(event, listener);
  }
};
