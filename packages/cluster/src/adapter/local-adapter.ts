import { Adapter } from 'socket.io-adapter';
import type { AdapterFactory } from './room-adapter.ts';

/** Socket.IO's in-memory adapter for a process that is the whole cluster: asking the other nodes finds none. */
class LocalAdapter extends Adapter {
  override serverSideEmit(packet: unknown[]): void {
    const ack = packet[packet.length - 1];
    if (typeof ack === 'function') ack(null, []);
  }
}

export const createLocalAdapter = (): AdapterFactory =>
  // Socket.IO calls it with `new`, so it cannot be an arrow function.
  function create(nsp) {
    return new LocalAdapter(nsp);
  };
