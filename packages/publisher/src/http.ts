import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, problem } from '@fanfare/protocol';
import type { z } from 'zod';
import type { PublishFailure } from './error.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  /** Path and query. */
  path: string;
  body?: string;
}

export type HttpOutcome<Answer> = { answer: Answer } | { failure: PublishFailure };

export interface Deadline {
  /** When all tries end, on the clock of `performance.now()`. */
  at: number;
  /** The caller's own end. */
  signal: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2000;

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'api_key_invalid',
  403: 'forbidden',
  404: 'not_found',
  413: 'payload_too_large',
  429: 'rate_limited',
};

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** `Retry-After` in seconds; a date, which no api of ours sends, is ignored. */
const retryAfterMs = (response: Response): number | undefined => {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
};

/** What an answer other than 2xx means; whatever stands in front of the api sends no problem document. */
const failureOf = (response: Response, text: string): PublishFailure => {
  const { status } = response;
  const known = problem.safeParse(readJson(text)).data;
  const isBusy = status === 429 || status === 408;
  const retryable = isBusy || (known?.retryable ?? status >= 500);
  return {
    code: known?.code ?? CODE_OF_STATUS[status] ?? (retryable ? 'unavailable' : 'invalid_payload'),
    message: known?.detail ?? known?.title ?? `The api answered ${status} ${response.statusText}`,
    retryable,
    status,
    results: known?.results,
    retryAfterMs: known?.retryAfterMs ?? retryAfterMs(response),
  };
};

/** The api at one address, as one of its keys may use it. */
export class Api {
  readonly #url: string;
  readonly #apiKey: string;
  readonly #tryTimeoutMs: number;

  constructor(options: { url: string; apiKey: string; tryTimeoutMs: number }) {
    this.#url = new URL(options.url).href.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
    this.#tryTimeoutMs = options.tryTimeoutMs;
  }

  /** Until it is answered, refused for good, or too late; `isOnce` for what a second try could double. */
  async ask<Answer>(
    request: HttpRequest,
    schema: z.ZodType<Answer>,
    options: { deadline: Deadline; isOnce?: boolean },
  ): Promise<HttpOutcome<Answer>> {
    const { deadline, isOnce = false } = options;
    let told: HttpOutcome<Answer> | undefined;
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.try(request, schema, deadline);
      if ('answer' in outcome || !outcome.failure.retryable || isOnce) return outcome;
      // A last try that ran out of time says less than the answer before it.
      if (outcome.failure.status !== undefined || told === undefined) told = outcome;
      if (!(await pause(tries, outcome.failure, deadline))) return told;
    }
  }

  /** One try. A body is always read to its end, or the connection could not be used again. */
  async try<Answer>(
    request: HttpRequest,
    schema: z.ZodType<Answer>,
    { at, signal }: Deadline,
  ): Promise<HttpOutcome<Answer>> {
    signal?.throwIfAborted();
    const timeoutMs = Math.min(this.#tryTimeoutMs, Math.max(1, Math.ceil(at - performance.now())));
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const { method, path, body } = request;
      const response = await fetch(this.#url + path, {
        method,
        headers: { authorization: `Bearer ${this.#apiKey}`, 'content-type': 'application/json' },
        // A followed redirect would turn a POST into a GET.
        redirect: 'manual',
        signal: signal === undefined ? late : AbortSignal.any([signal, late]),
        ...(body !== undefined && { body }),
      });
      const text = await response.text();
      if (!response.ok) return { failure: failureOf(response, text) };
      const answer = schema.safeParse(readJson(text));
      if (answer.success) return { answer: answer.data };
      const message = 'The answer is not that of a Fanfare api: check the url';
      return { failure: { code: 'internal', message, retryable: false, status: response.status } };
    } catch (cause) {
      signal?.throwIfAborted();
      const message = late.aborted ? `No answer within ${timeoutMs} ms` : 'The api cannot be reached';
      return { failure: { code: 'unavailable', message, retryable: true, cause } };
    }
  }
}

/** Waits before try `attempt` (from 1), longer each time and never in step with others; false when there is no time for it. */
export const pause = async (
  attempt: number,
  { retryAfterMs = 0 }: PublishFailure,
  deadline: Deadline,
): Promise<boolean> => {
  const ownMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.5 + Math.random());
  const ms = Math.max(ownMs, retryAfterMs * (1 + Math.random() / 4));
  if (performance.now() + ms >= deadline.at) return false;
  try {
    await delay(ms, undefined, { signal: deadline.signal });
  } catch {
    deadline.signal?.throwIfAborted();
  }
  return true;
};
