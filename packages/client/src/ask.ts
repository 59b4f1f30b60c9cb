import type { AckResult, WireError } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import type { Requests } from './contract.ts';
import { FanfareError, unavailable } from './error.ts';

export type Outcome<Data> = { ok: true; data: Data } | { ok: false; error: FanfareError };

export interface Question<Name extends keyof Requests> {
  name: Name;
  payload: Requests[Name]['payload'];
  /** How long the ack may take, in ms. */
  timeoutMs: number;
}

const isRefusal = (answer: unknown): answer is { ok: false; error: WireError } =>
  typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === false && 'error' in answer;

/**
 * Asks the gateway. `done` is called in the very step in which the ack arrives, so before anything that was sent after it
 * is looked at: a promise would come later than the next event.
 */
export const ask = <Name extends keyof Requests>(
  socket: Socket,
  { name, payload, timeoutMs }: Question<Name>,
  done: (outcome: Outcome<Requests[Name]['answer']>) => void,
): void => {
  if (!socket.connected) {
    done({ ok: false, error: unavailable('There is no connection') });
    return;
  }
  const settle = (failure: Error | null, answer: AckResult<Requests[Name]['answer']>) => {
    if (failure !== null) done({ ok: false, error: unavailable(`No answer to ${name}`, failure) });
    else if (isRefusal(answer)) done({ ok: false, error: FanfareError.fromWire(answer.error) });
    else done(answer);
  };
  const { sendBuffer } = socket;
  const buffered = sendBuffer.length;
  socket.timeout(timeoutMs).emit(name, payload, settle);
  // Where the ping is overdue, as after a sleep, the stock client keeps it for the next connection, which is asked anew.
  if (sendBuffer.length > buffered) sendBuffer.pop();
};

/** The same for those who do not care about the order of ack and events. */
export const request = <Name extends keyof Requests>(
  socket: Socket,
  question: Question<Name>,
): Promise<Requests[Name]['answer']> =>
  new Promise((resolve, reject) => {
    ask(socket, question, (outcome) => {
      if (outcome.ok) resolve(outcome.data);
      else reject(outcome.error);
    });
  });

/** Bytes of the longest message that carries it: JSON, and binary beside it. Throws for what cannot be sent. */
const bytesOf = (value: unknown): number => {
  let binary = 0;
  const setAside = function (this: object, key: string, inner: unknown) {
    // Of a Buffer `inner` is what its `toJSON` made.
    const given: unknown = Reflect.get(this, key);
    if (!(given instanceof ArrayBuffer || ArrayBuffer.isView(given))) return inner;
    binary = Math.max(binary, given.byteLength);
    return null;
  };
  try {
    const text = JSON.stringify(value, setAside) ?? '';
    return Math.max(binary, new TextEncoder().encode(text).length);
  } catch (cause) {
    throw new FanfareError('invalid_payload', 'The data cannot be written as JSON', { cause });
  }
};

/** A gateway would end the connection for it, again at every try. */
export const checkBytes = (value: unknown, most: number): void => {
  if (bytesOf(value) > most)
    throw new FanfareError('payload_too_large', `The data is more than ${most} bytes of JSON`);
};
