import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ClientRequest, IncomingMessage } from 'node:http';
import { z } from 'zod';

const CHANNEL = 'http.client.response.finish';

const finished = z.object({
  request: z.instanceof(ClientRequest),
  response: z.instanceof(IncomingMessage),
});

/** What a server answers to the polling clients of this process. */
export interface PollingStatuses extends Disposable {
  /** How often each status came. */
  readonly counts: ReadonlyMap<number, number>;
  /** Refusals of requests for sessions that their client had ended: one may overtake the other on its own connection. */
  readonly late: number;
  /** The client ends this session now. */
  end(sid: string | undefined): void;
}

/** Sees the answers to all requests of this process for sessions of one server. */
export const watchPolling = (url: string): PollingStatuses => {
  const counts = new Map<number, number>();
  const ended = new Set<string | null | undefined>();
  const { host, origin } = new URL(url);
  let late = 0;
  const see = (message: unknown) => {
    const { request, response } = finished.parse(message);
    const { pathname, searchParams } = new URL(request.path, origin);
    if (pathname !== '/socket.io/' || request.getHeader('host') !== host) return;
    const status = response.statusCode ?? 0;
    if (status === 400 && ended.has(searchParams.get('sid'))) late += 1;
    else counts.set(status, (counts.get(status) ?? 0) + 1);
  };
  subscribe(CHANNEL, see);
  return {
    counts,
    get late() {
      return late;
    },
    end: (sid) => ended.add(sid),
    [Symbol.dispose]: () => {
      unsubscribe(CHANNEL, see);
    },
  };
};
