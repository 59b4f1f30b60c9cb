import { LEASE_MS } from '../presence/leases.ts';
import { MemoryPresence } from '../presence/memory-store.ts';
import type { PresenceStore } from '../presence/store.ts';
import {
  type FromPrimary,
  type FromWorker,
  fromWorker,
  isAboutPresence,
  PRESENCE_SOURCE,
} from './presence-messages.ts';

/** A worker as the primary sees it. */
export interface PresentWorker {
  /** Takes what the worker has sent; anything but presence is ignored. */
  receive(message: unknown): void;
  /** The worker has ended: its members go after a while, unless another one holds them by then. */
  ended(): void;
}

/** Keeps in the primary who is in which room through all workers of a machine without Redis. */
export class PrimaryPresence {
  readonly #presence = new MemoryPresence();
  readonly #lostMs: number;

  /** `lostMs`: how long the members of a worker that has ended without a word are kept, in ms. */
  constructor({ lostMs = LEASE_MS }: { lostMs?: number } = {}) {
    this.#lostMs = lostMs;
  }

  admit(send: (message: FromPrimary) => void): PresentWorker {
    const store = this.#presence.open();
    let isEnding = false;
    const endAfter = (ms: number) => {
      if (isEnding) return;
      isEnding = true;
      setTimeout(() => void store[Symbol.asyncDispose](), ms).unref();
    };
    return {
      receive: (message) => {
        if (!isAboutPresence(message)) return;
        const told = fromWorker.safeParse(message).data;
        if (told === undefined) return;
        if (told.kind === 'end') endAfter(told.graceMs);
        else void carryOut(told, store, send);
      },
      ended: () => endAfter(this.#lostMs),
    };
  }
}

const carryOut = async (
  told: Exclude<FromWorker, { kind: 'end' }>,
  store: PresenceStore,
  send: (message: FromPrimary) => void,
): Promise<void> => {
  const source = PRESENCE_SOURCE;
  const { place } = told;
  switch (told.kind) {
    case 'hold':
      store.hold(place, told.member);
      break;
    case 'release':
      store.release(place, told.user);
      break;
    case 'unlisten':
      store.unlisten(place);
      break;
    case 'listen':
      await store.listen(place, (change) => send({ source, kind: 'changed', place, change }));
      send({ source, kind: 'answer', request: told.request });
      break;
    case 'read': {
      const page = await store.read(place, told.page);
      send({ source, kind: 'answer', request: told.request, page });
    }
  }
};
