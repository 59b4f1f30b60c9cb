import { canBeWatched, type Member } from '../seams.ts';

const REGISTRY = Symbol('registry');

type WatchedMember = Member & { readonly [REGISTRY]: Set<string> };

/** Knows whether any socket of a namespace has listeners of onAnyOutgoing(), without looking at each socket. */
export class OutgoingListeners {
  readonly #ids = new Set<string>();

  get areNone(): boolean {
    return this.#ids.size === 0;
  }

  watch(socket: Member): void {
    const isWatched = REGISTRY in socket;
    if (!isWatched && !canBeWatched(socket)) {
      this.#ids.add(socket.id);
      return;
    }
    if (socket.listenersAnyOutgoing().length > 0) this.#ids.add(socket.id);
    if (!isWatched || socket[REGISTRY] !== this.#ids) {
      Object.assign(socket, { [REGISTRY]: this.#ids, ...REGISTERING });
    }
  }

  forget(id: string): void {
    this.#ids.delete(id);
  }
}

function stockOf(socket: Member): Member {
  return Object.getPrototypeOf(socket);
}

const REGISTERING = {
  onAnyOutgoing(this: WatchedMember, listener: unknown) {
    this[REGISTRY].add(this.id);
    return stockOf(this).onAnyOutgoing.call(this, listener);
  },
  prependAnyOutgoing(this: WatchedMember, listener: unknown) {
    this[REGISTRY].add(this.id);
    return stockOf(this).prependAnyOutgoing.call(this, listener);
  },
};
