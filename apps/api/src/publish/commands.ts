import {
  type ClusterPublisher,
  inboxRoom,
  type Publication,
  type Publishing,
  toldRoom,
} from '@fanfare/cluster';
import {
  AppError,
  type BatchResult,
  checkLoggable,
  checkPayload,
  ERRORS,
  LIMITS,
  type PublishResult,
  publishRequest,
} from '@fanfare/protocol';
import type { z } from 'zod';
import type { ApiEvents, Outcome } from '../events.ts';
import { explain, PartialFailure } from '../http/errors.ts';
import { checkNamespace } from '../http/parameters.ts';
import type { Caller } from '../keys/key-ring.ts';

export interface PublishDeps {
  publisher: Pick<ClusterPublisher, 'publish' | 'publishMany'>;
  namespaces: readonly string[];
  events: Pick<ApiEvents, 'bus' | 'published' | 'batchAnswered' | 'commandsSettled'>;
}

/** How a publish ended: `error` when it was refused before any room was looked at. */
export type Settled = { results: Publishing[] } | { error: AppError };
type Published = Exclude<Publishing, { error: unknown }>;

/** What a caller asks for, as the cluster takes it; throws for what cannot be logged or does not exist. */
export const toPublication = (
  request: z.output<typeof publishRequest>,
  caller: Caller,
  namespaces: readonly string[],
): Publication => {
  const {
    room,
    rooms = [],
    user,
    event,
    data,
    id,
    except = [],
    ephemeral = false,
    conflate,
    namespace,
  } = request;
  checkNamespace(namespaces, namespace);
  checkLoggable(data);
  const targets = user === undefined ? [...new Set(room === undefined ? rooms : [room])] : [inboxRoom(user)];
  for (const target of targets) caller.permit('publish', toldRoom(target));
  return {
    namespace,
    rooms: targets,
    except,
    event,
    data,
    id,
    publisher: `key:${caller.name}`,
    ephemeral,
    conflate,
  };
};

/** Its data have a bound of their own, and something stands around them. */
const COMMAND_ENTRIES = 2 * LIMITS.payloadEntries;

/** One command of a batch as the cluster takes it, or why it does not. */
export const readCommand = (
  command: unknown,
  caller: Caller,
  namespaces: readonly string[],
): Publication | AppError => {
  try {
    checkPayload(command, { name: 'The command', entries: COMMAND_ENTRIES });
    const parsed = publishRequest.safeParse(command);
    if (!parsed.success) return new AppError('invalid_payload', explain(parsed.error, 'The command'));
    return toPublication(parsed.data, caller, namespaces);
  } catch (error) {
    return AppError.from(error);
  }
};

const hasFailed = (result: Publishing): boolean => 'error' in result;

const errorsOf = (settled: Settled): AppError[] =>
  'error' in settled
    ? [settled.error]
    : settled.results.flatMap((result) => ('error' in result ? [result.error] : []));

const isPublished = (settled: Settled): settled is { results: Published[] } =>
  !('error' in settled) && !settled.results.some(hasFailed);

/** Of several errors the one that the caller is told: one that a retry can mend before any other. */
const leading = (errors: readonly AppError[]): AppError | undefined =>
  errors.find(({ code }) => ERRORS[code].retryable) ?? errors[0];

export const outcomeOf = (settled: Settled): Outcome =>
  isPublished(settled) ? 'accepted' : (leading(errorsOf(settled))?.code ?? 'accepted');

/** An ephemeral event that Redis did not take is lost, and counted as such. */
export const countDropped = (
  results: Publishing[],
  { ephemeral }: Publication,
  { bus }: PublishDeps['events'],
): void => {
  if (!ephemeral) return;
  for (const error of errorsOf({ results })) bus.publishDropped(error);
};

const toWire = (results: readonly Publishing[]): PublishResult[] =>
  results.map((result) => ('error' in result ? { room: result.room, error: result.error.toWire() } : result));

/** The answer to a publish that every room took; throws for any other. */
export const answerOf = (results: Publishing[]): { results: Published[] } => {
  const settled: Settled = { results };
  if (isPublished(settled)) return settled;
  const errors = errorsOf(settled);
  const error = leading(errors) ?? new AppError('internal');
  const message =
    results.length === 1
      ? error.message
      : `${errors.length} of ${results.length} rooms did not take the event: see results`;
  throw new PartialFailure(error.code, message, toWire(results));
};

/** The answer to a batch whose commands all succeeded; throws for any other. */
export const batchAnswerOf = (commands: readonly Settled[]): { results: { results: Published[] }[] } => {
  const published = commands.filter(isPublished);
  if (published.length === commands.length) return { results: published };
  const error = leading(commands.flatMap(errorsOf)) ?? new AppError('internal');
  const results: BatchResult[] = commands.map((settled) =>
    'error' in settled ? { error: settled.error.toWire() } : { results: toWire(settled.results) },
  );
  const failed = commands.length - published.length;
  throw new PartialFailure(
    error.code,
    `${failed} of ${commands.length} commands failed: see results`,
    results,
  );
};
