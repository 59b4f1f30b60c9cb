import { randomUUID } from 'node:crypto';
import { type HistoryResponse, historyResponse, publishResponse } from '@fanfare/protocol';
import { type Command, NOT_SENT, publishAll } from './batch.ts';
import { PublishError } from './error.ts';
import { Api, type Deadline } from './http.ts';
import type { EventMap, Publication, PublishedRoom, ToRoom, ToRooms, ToUser } from './publication.ts';

export interface PublisherOptions {
  /** Where the api is, such as `https://rt.example.com`. */
  url: string;
  /** With the scope `publish` for the rooms of its events, and `read` for `history`. */
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
  /** For all tries together, in ms; default that of the publisher. */
  timeoutMs?: number;
}

export interface HistoryQuery {
  /** Read on from here, itself not included. Give the epoch, or check that it is the same as before. */
  since?: { epoch?: string; offset: number };
  /** Most events of the answer, at most 500; default 100. */
  limit?: number;
  /** Default `forward`, from the oldest event that is kept. */
  direction?: 'forward' | 'backward';
  /** Default that of the publisher. */
  namespace?: string;
}

/** Publishes to a cluster over HTTP. Holds nothing that would have to be closed. */
export interface Publisher<Events extends object = EventMap> {
  /**
   * Resolves when the event is in the log of its room, of all its rooms, or of its user's inbox. Tries again with the
   * same id, so one call is at most one event in each log; an ephemeral event is tried once. Rejects with a
   * `PublishError`.
   */
  publish(publication: ToRoom<Events> | ToUser<Events>, options?: CallOptions): Promise<PublishedRoom>;
  publish(publication: ToRooms<Events>, options?: CallOptions): Promise<PublishedRoom[]>;
  /** Publishes many events, in order; resolves with the rooms of each. `results` of the error tells what became of each. */
  publishMany(
    publications: readonly Publication<Events>[],
    options?: CallOptions,
  ): Promise<PublishedRoom[][]>;
  /** Reads a page of what is kept of a room, and where the room is now. Rejects with a `PublishError`. */
  history(room: string, query?: HistoryQuery, options?: CallOptions): Promise<HistoryResponse>;
}

const TIMEOUT_MS = 10_000;
const TRY_TIMEOUT_MS = 3000;

/** A publication on its way; throws for what cannot be sent. */
const toCommand = (publication: Publication, namespace: string | undefined): Command => {
  const id = publication.id ?? randomUUID();
  try {
    const json = JSON.stringify({ ...publication, namespace: publication.namespace ?? namespace, id });
    return { id, json, isEphemeral: publication.ephemeral === true, result: { error: NOT_SENT } };
  } catch (cause) {
    const message = '"data" cannot be written as JSON';
    throw new PublishError({ code: 'invalid_payload', message, retryable: false, cause }, [id]);
  }
};

const historyPath = (room: string, { since, ...query }: HistoryQuery): string => {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ since: since?.offset, epoch: since?.epoch, ...query })) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return `/v1/rooms/${encodeURIComponent(room)}/history?${parameters}`;
};

/** Opens a publisher; `Events` are the app's own events, name → data. */
export function createPublisher<Events extends object = EventMap>(
  options: PublisherOptions,
): Publisher<Events> {
  const { timeoutMs = TIMEOUT_MS, tryTimeoutMs = TRY_TIMEOUT_MS, namespace } = options;
  const api = new Api({ ...options, tryTimeoutMs });
  const deadlineOf = (call: CallOptions): Deadline => ({
    at: performance.now() + (call.timeoutMs ?? timeoutMs),
    signal: call.signal,
  });

  function publish(publication: ToRoom<Events> | ToUser<Events>, call?: CallOptions): Promise<PublishedRoom>;
  function publish(publication: ToRooms<Events>, call?: CallOptions): Promise<PublishedRoom[]>;
  async function publish(
    publication: Publication<Events>,
    call: CallOptions = {},
  ): Promise<PublishedRoom | PublishedRoom[]> {
    const { id, json, isEphemeral } = toCommand(publication, namespace);
    const request = { method: 'POST', path: '/v1/publish', body: json } as const;
    const way = { deadline: deadlineOf(call), isOnce: isEphemeral };
    const outcome = await api.ask(request, publishResponse, way);
    if ('failure' in outcome) throw new PublishError(outcome.failure, [id]);
    const { results } = outcome.answer;
    const [first] = results;
    return publication.rooms === undefined && first !== undefined ? first : results;
  }

  return {
    publish,
    publishMany: async (publications, call = {}) => {
      const deadline = deadlineOf(call);
      const commands = publications.map((publication) => toCommand(publication, namespace));
      const failure = await publishAll(api, commands, deadline);
      const ids = commands.map(({ id }) => id);
      if (failure !== undefined) throw new PublishError(failure, ids);
      return commands.map(({ result }) => publishResponse.parse(result).results);
    },
    history: async (room, query = {}, call = {}) => {
      const { namespace: own = namespace, ...rest } = query;
      const path = historyPath(room, { ...rest, ...(own !== undefined && { namespace: own }) });
      const deadline = deadlineOf(call);
      const outcome = await api.ask({ method: 'GET', path }, historyResponse, { deadline });
      if ('failure' in outcome) throw new PublishError(outcome.failure);
      return outcome.answer;
    },
  };
}
