import { type BatchResult, batchResponse, batchResult, LIMITS } from '@fanfare/protocol';
import { z } from 'zod';
import type { PublishFailure } from './error.ts';
import { type Api, type Deadline, pause } from './http.ts';

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
const batchesOf = (commands: readonly Command[]): Command[][] => {
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

const isDone = ({ result }: Command): boolean => errorsOf(result).length === 0;

/** Whether another try could mend it and could double nothing. */
const mayRetry = ({ result, isEphemeral }: Command): boolean => {
  const errors = errorsOf(result);
  return !isEphemeral && errors.some(({ retryable }) => retryable);
};

/** What is said of commands that did not all succeed: an error that a retry can mend before any other. */
const failureOf = (commands: readonly Command[], last: PublishFailure | undefined): PublishFailure => {
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

const batchResults = z.array(batchResult);
const NO_RESULT = { code: 'internal', message: 'The api did not answer for it', retryable: false };

/** Sends commands until none is left that another try could mend. */
const settle = async (
  api: Api,
  commands: readonly Command[],
  deadline: Deadline,
): Promise<PublishFailure | undefined> => {
  let left = commands;
  for (let tries = 1; ; tries += 1) {
    const body = `{"commands":[${left.map(({ json }) => json).join()}]}`;
    const outcome = await api.try({ method: 'POST', path: '/v1/batch', body }, batchResponse, deadline);
    const failure = 'failure' in outcome ? outcome.failure : undefined;
    const told = batchResults.safeParse('answer' in outcome ? outcome.answer.results : failure?.results).data;
    const { code, message, retryable } = failure ?? NO_RESULT;
    for (const [i, command] of left.entries()) {
      command.result = told?.[i] ?? { error: { code, message, retryable } };
    }
    left = left.filter(mayRetry);
    if (failure === undefined || left.length === 0) return failure;
    if (!(await pause(tries, failure, deadline))) return failure;
  }
};

/** The result of a command until there is another. */
export const NOT_SENT = {
  code: 'unavailable',
  message: 'It was not sent: events before it could not be published in time',
  retryable: true,
};

/**
 * Publishes all of them, as many a request as one may hold; resolves with why some were not. What follows a request that
 * it gave up is not sent, or events of a room would overtake those that are sent again later.
 */
export const publishAll = async (
  api: Api,
  commands: readonly Command[],
  deadline: Deadline,
): Promise<PublishFailure | undefined> => {
  let last: PublishFailure | undefined;
  for (const batch of batchesOf(commands)) {
    if (performance.now() >= deadline.at) break;
    last = (await settle(api, batch, deadline)) ?? last;
    if (batch.some(mayRetry)) break;
  }
  return commands.every(isDone) ? undefined : failureOf(commands, last);
};
