import type { Namespace, ServerOptions } from 'socket.io';
import { Collector, type FanoutCounters } from './collector.ts';
import { attachOutbox, markBroadcast } from './connection/connection.ts';
import { Broadcast } from './frames/broadcast.ts';
import { Membership, walksLike } from './membership/membership.ts';
import { type Adapter, type AdapterSeam, isAdapterSeam } from './seams.ts';

export interface FanoutOptions {
  /**
   * Bytes that may wait for one connection until the end of the event-loop iteration. At the bound they are
   * written at once; while the socket does not take them, packets queue in Engine.IO as in stock. Default: 1 MB.
   */
  readonly maxPendingBytes?: number;
}

/** An adapter factory for the `adapter` option of a Socket.IO server. */
export interface FanoutFactory {
  (namespace: Namespace): Adapter;
  /** What was delivered since the factory was made, in all namespaces. */
  counters(): FanoutCounters;
}

/**
 * Decorates an adapter so that a broadcast is encoded and framed once and costs each connection its share of one
 * write per event-loop iteration. What the clients see is what they see without it.
 */
export function fanout(createAdapter: ServerOptions['adapter'], options: FanoutOptions = {}): FanoutFactory {
  const collector = new Collector(options.maxPendingBytes ?? 1_048_576);
  // Socket.IO calls the factory with `new`, which an arrow function would refuse.
  function createFanoutAdapter(namespace: Namespace): Adapter {
    const adapter: Adapter = Reflect.construct(createAdapter, [namespace]);
    if (isAdapterSeam(adapter)) decorate(adapter, collector);
    return adapter;
  }
  return Object.assign(createFanoutAdapter, { counters: () => collector.counters });
}

function decorate(adapter: AdapterSeam, collector: Collector): void {
  const { _encode: encode, apply } = adapter;
  const attach = (client: object) => attachOutbox(client, collector);
  const membership = walksLike(adapter) ? new Membership(adapter, attach) : null;
  adapter._encode = (packet, options) => {
    const packets = encode.call(adapter, packet, options);
    const broadcast = collector.isWatched ? null : Broadcast.of(packets, options.wsPreEncodedFrame);
    if (broadcast !== null) markBroadcast(options, broadcast);
    membership?.announce(options.volatile ? null : broadcast);
    return packets;
  };
  if (membership !== null) {
    adapter.apply = (filter, visit) => membership.apply(filter, visit);
  } else {
    adapter.apply = (filter, visit) =>
      apply.call(adapter, filter, (socket) => {
        attach(socket.client);
        visit(socket);
      });
  }
}
