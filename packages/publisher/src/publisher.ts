import { randomUUID } from 'node:crypto';
import {
  batchResponse,
  batchResult,
  type HistoryResponse,
  historyResponse,
  publishResponse,
} from '@fanfare/protocol';
import { z } from 'zod';
import { batchesOf, type Command, failureOfCommands, isDone, mayRetry } from './batch.ts';
import { PublishError, type PublishFailure } from './error.ts';
import { type Deadline, type HttpOutcome, type HttpRequest, pause, send } from './http.ts';
import type { EventMap, Publication, PublishedRoom, ToRoom, ToRooms } from './publication.ts';

export interface PublisherOptions {
  /** Where the api is, such as `https://rt.example.com`. */
  url: string;
  apiKey: string;
  /** Of everything that names no other; default `/`. */
  namespace?: string;
  /** For all tries of one call together, in ms; default 10000. */
  timeoutMs?: number;
  /** For one try, in ms; default 3000. */
  tryTimeoutMs?: number;
}

export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. What was sent may be carried out all the same. */
  signal?: AbortSignal;
  /** For all tries together, in ms. */
  timeoutMs?: number;
}

export interface HistoryQuery {
  /** Read on from here, itself not included. Give the epoch, or check that it is the same as before. */
  since?: { epoch?: string; offset: number };
  /** Most events of the answer, at most 500; default 100. */
  limit?: number;
  /** Default `forward`, from the oldest event that is kept. */
  direction?: 'forward' | 'backward';
  namespace?: string;
}

/** Publishes to a cluster over HTTP. Holds nothing that would have to be closed. */
export interface Publisher<Events extends object = EventMap> {
  /**
   * Resolves when the event is in the log of its room, or of all its rooms. Tries again with the same id, so one call is at
   * most one event in each log; an ephemeral event is tried once. Rejects with a `PublishError`.
   */
  publish(publication: ToRoom<Events>, options?: CallOptions): Promise<PublishedRoom>;
  publish(publication: ToRooms<Events>, options?: CallOptions): Promise<PublishedRoom[]>;
  /** Publishes many events, in order; resolves with the rooms of each. `results` of the error tells what became of each. */
  publishMany(
    publications: readonly Publication<Events>[],
    options?: CallOptions,
  ): Promise<PublishedRoom[][]>;
  /** Reads what is kept of a room, and where the room is now. */
  history(room: string, query?: HistoryQuery, options?: CallOptions): Promise<HistoryResponse>;
}

const TIMEOUT_MS = 10_000;
const TRY_TIMEOUT_MS = 3000;

const batchResults = z.array(batchResult);

/** Opens a publisher; `Events` are the app's own events, name → data. */
export function createPublisher<Events extends object = EventMap>(
  options: PublisherOptions,
): Publisher<Events> {
  const { apiKey, timeoutMs = TIMEOUT_MS, tryTimeoutMs = TRY_TIMEOUT_MS } = options;
  const url = new URL(options.url).href.replace(/\/+$/, '');

  const deadlineOf = (call: CallOptions): Deadline => ({
    at: performance.now() + (call.timeoutMs ?? timeoutMs),
    signal: call.signal,
  });

  const attempt = <Answer>(
    request: HttpRequest,
    schema: z.ZodType<Answer>,
    deadline: Deadline,
  ): Promise<HttpOutcome<Answer>> => {
    deadline.signal?.throwIfAborted();
    const leftMs = Math.max(1, Math.ceil(deadline.at - performance.now()));
    const target = { url, apiKey, timeoutMs: Math.min(tryTimeoutMs, leftMs) };
    return send(target, request, { schema, signal: deadline.signal });
  };

  /** Until it is answered, refused for good, or too late. */
  const insist = async <Answer>(
    request: HttpRequest,
    schema: z.ZodType<Answer>,
    { deadline, ids = [], isOnce = false }: { deadline: Deadline; ids?: readonly string[]; isOnce?: boolean },
  ): Promise<Answer> => {
    for (let tries = 1; ; tries += 1) {
      const outcome = await attempt(request, schema, deadline);
      if ('answer' in outcome) return outcome.answer;
      const { failure } = outcome;
      const goesOn = failure.retryable && !isOnce && (await pause(tries, failure, deadline));
      if (!goesOn) throw new PublishError(failure, ids);
    }
  };

  const toCommand = (publication: Publication<Events>): Command => {
    const id = publication.id ?? randomUUID();
    const namespace = publication.namespace ?? options.namespace;
    try {
      const json = JSON.stringify({ ...publication, id, ...(namespace !== undefined && { namespace }) });
      const error = { code: 'unavailable', message: 'There was no time left for it', retryable: true };
      return { id, json, isEphemeral: publication.ephemeral === true, result: { error } };
    } catch (cause) {
      const message = '"data" cannot be written as JSON';
      throw new PublishError({ code: 'invalid_payload', message, retryable: false, cause }, [id]);
    }
  };

  function publish(publication: ToRoom<Events>, call?: CallOptions): Promise<PublishedRoom>;
  function publish(publication: ToRooms<Events>, call?: CallOptions): Promise<PublishedRoom[]>;
  async function publish(
    publication: Publication<Events>,
    call: CallOptions = {},
  ): Promise<PublishedRoom | PublishedRoom[]> {
    const { id, json, isEphemeral } = toCommand(publication);
    const request = { method: 'POST', path: '/v1/publish', body: json } as const;
    const way = { deadline: deadlineOf(call), ids: [id], isOnce: isEphemeral };
    const { results } = await insist(request, publishResponse, way);
    const [first] = results;
    return publication.rooms === undefined && first !== undefined ? first : results;
  }

  /** Sends commands until none is left that another try could mend. */
  const settle = async (
    commands: readonly Command[],
    deadline: Deadline,
  ): Promise<PublishFailure | undefined> => {
    let left = commands;
    for (let tries = 1; ; tries += 1) {
      const body = `{"commands":[${left.map(({ json }) => json).join()}]}`;
      const outcome = await attempt({ method: 'POST', path: '/v1/batch', body }, batchResponse, deadline);
      const failure = 'failure' in outcome ? outcome.failure : undefined;
      const told = batchResults.safeParse(
        'answer' in outcome ? outcome.answer.results : failure?.results,
      ).data;
      const error = failure ?? { code: 'internal', message: 'There is no result for it', retryable: false };
      for (const [i, command] of left.entries()) {
        const { code, message, retryable } = error;
        command.result = told?.[i] ?? { error: { code, message, retryable } };
      }
      left = left.filter(mayRetry);
      if (failure === undefined || left.length === 0) return failure;
      if (!(await pause(tries, failure, deadline))) return failure;
    }
  };

  return {
    publish,
    publishMany: async (publications, call = {}) => {
      const deadline = deadlineOf(call);
      const commands = publications.map(toCommand);
      let failure: PublishFailure | undefined;
      for (const batch of batchesOf(commands)) {
        if (performance.now() >= deadline.at) break;
        failure = (await settle(batch, deadline)) ?? failure;
      }
      if (!commands.every(isDone)) {
        const ids = commands.map(({ id }) => id);
        throw new PublishError(failureOfCommands(commands, failure), ids);
      }
      return commands.map(({ result }) => publishResponse.parse(result).results);
    },
    history: async (room, { since, namespace = options.namespace, limit, direction } = {}, call = {}) => {
      const query = new URLSearchParams();
      const given = { since: since?.offset, epoch: since?.epoch, limit, direction, namespace };
      for (const [name, value] of Object.entries(given)) {
        if (value !== undefined) query.set(name, String(value));
      }
      const path = `/v1/rooms/${encodeURIComponent(room)}/history?${query}`;
      return insist({ method: 'GET', path }, historyResponse, { deadline: deadlineOf(call) });
    },
  };
}
