import type { ErrorAnswer } from '../../contract.ts';

/** What a request was refused with, or that nobody answered. */
export class RequestError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RequestError';
    this.code = code;
  }

  /** Whether the same request may succeed later. */
  get mayRetry(): boolean {
    return this.code === 'unavailable' || this.code === 'unreachable';
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const refusal = async (response: Response): Promise<RequestError> => {
  try {
    const { error }: ErrorAnswer = await response.json();
    return new RequestError(error.code, error.message);
  } catch {
    const isAway = response.status >= 502 && response.status <= 504;
    return isAway
      ? new RequestError('unavailable', 'The board is away for a moment: try again shortly')
      : new RequestError('internal', `The board answered ${response.status}`);
  }
};

/** Asks the board's backend, whose answers have the types of the contract. Rejects with a `RequestError`. */
export async function request<Answer>(method: Method, path: string, body?: unknown): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/board/api${path}`, {
      method,
      credentials: 'same-origin',
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
  } catch (cause) {
    throw new RequestError('unreachable', 'There is no connection to the board', { cause });
  }
  if (!response.ok) throw await refusal(response);
  const text = await response.text();
  return JSON.parse(text === '' ? 'null' : text);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
