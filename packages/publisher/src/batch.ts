import { type BatchResult, LIMITS } from '@fanfare/protocol';
import type { PublishFailure } from './error.ts';

/** A command of `publishMany` on its way. */
export interface Command {
  readonly id: string;
  /** The request as JSON. */
  readonly json: string;
  /** Not logged: a second try could double it. */
  readonly isEphemeral: boolean;
  result: BatchResult;
}

/** Somewhat less than an api takes in one request, in bytes. */
const BATCH_BYTES = 1_000_000;

/** The commands of one request after the other, in order. */
export const batchesOf = (commands: readonly Command[]): Command[][] => {
  const batches: Command[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const command of commands) {
    const size = Buffer.byteLength(command.json) + 1;
    const last = batches.at(-1);
    if (last === undefined || last.length === LIMITS.batchCommands || bytes + size > BATCH_BYTES) {
      batches.push([command]);
      bytes = size;
    } else {
      last.push(command);
      bytes += size;
    }
  }
  return batches;
};

const errorsOf = (result: BatchResult): { code: string; message: string; retryable: boolean }[] =>
  'error' in result
    ? [result.error]
    : result.results.flatMap((room) => ('error' in room ? [room.error] : []));

export const isDone = ({ result }: Command): boolean => errorsOf(result).length === 0;

/** Whether another try could mend it and could double nothing. */
export const mayRetry = ({ result, isEphemeral }: Command): boolean => {
  const errors = errorsOf(result);
  return !isEphemeral && errors.some(({ retryable }) => retryable);
};

/** What is said of commands that did not all succeed: an error that a retry can mend before any other. */
export const failureOfCommands = (commands: readonly Command[], last?: PublishFailure): PublishFailure => {
  const failed = commands.filter((command) => !isDone(command));
  const errors = failed.flatMap(({ result }) => errorsOf(result));
  const first = errors.find(({ retryable }) => retryable) ?? errors[0];
  return {
    code: first?.code ?? 'internal',
    message: `${failed.length} of ${commands.length} events were not published: ${first?.message}`,
    retryable: first?.retryable ?? false,
    status: last?.status,
    results: commands.map(({ result }) => result),
    cause: last?.cause,
  };
};
