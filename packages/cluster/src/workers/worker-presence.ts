import cluster from 'node:cluster';
import { AppError } from '@fanfare/protocol';
import { type PresenceChange, type PresencePage, type PresenceStore, placeKey } from '../presence/store.ts';
import {
  type FromPrimary,
  type FromWorker,
  fromPrimary,
  isAboutPresence,
  PRESENCE_SOURCE,
} from './presence-messages.ts';

/** The way between a worker and its primary. */
export interface PrimaryPort {
  send(message: FromWorker): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** The way of this process to its primary; undefined when nobody forked it as a worker. */
export const primaryPort = (): PrimaryPort | undefined => {
  const { worker } = cluster;
  return (
    worker && {
      send: (message) => {
        if (worker.isConnected()) worker.send(message);
      },
      onMessage: (listener) => void worker.on('message', listener),
    }
  );
};

const source = PRESENCE_SOURCE;

/**
 * Presence of a machine without Redis, which its primary keeps for all workers. Messages to it stay in order, and a worker
 * that loses its primary ends, so nothing has to be repeated. `graceMs` is how long the members of a worker that stops are
 * kept for the others.
 */
export function openWorkerPresence(port: PrimaryPort, { graceMs }: { graceMs: number }): PresenceStore {
  const listeners = new Map<string, (change: PresenceChange) => void>();
  const requests = new Map<number, (page: PresencePage | undefined) => void>();
  let lastRequest = 0;
  let isClosed = false;

  const act = (told: FromPrimary): void => {
    if (told.kind === 'changed') {
      listeners.get(placeKey(told.place))?.(told.change);
      return;
    }
    requests.get(told.request)?.(told.page);
    requests.delete(told.request);
  };
  port.onMessage((message) => {
    if (isClosed || !isAboutPresence(message)) return;
    const told = fromPrimary.safeParse(message).data;
    if (told !== undefined) act(told);
  });
  const ask = (send: (request: number) => void): Promise<PresencePage | undefined> => {
    if (isClosed) return Promise.reject(new AppError('unavailable'));
    lastRequest += 1;
    const request = lastRequest;
    const answered = new Promise<PresencePage | undefined>((resolve) => requests.set(request, resolve));
    send(request);
    return answered;
  };
  return {
    hold: (place, member) => port.send({ source, kind: 'hold', place, member }),
    release: (place, user) => port.send({ source, kind: 'release', place, user }),
    holdFrom: () => undefined,
    read: async (place, page) => {
      const answer = await ask((request) => port.send({ source, kind: 'read', place, page, request }));
      if (answer === undefined) throw new AppError('unavailable');
      return answer;
    },
    listen: async (place, listener) => {
      listeners.set(placeKey(place), listener);
      await ask((request) => port.send({ source, kind: 'listen', place, request }));
    },
    unlisten: (place) => {
      listeners.delete(placeKey(place));
      port.send({ source, kind: 'unlisten', place });
    },
    onGap: () => undefined,
    [Symbol.asyncDispose]: async () => {
      if (isClosed) return;
      isClosed = true;
      for (const answer of requests.values()) answer(undefined);
      port.send({ source, kind: 'end', graceMs });
    },
  };
}
