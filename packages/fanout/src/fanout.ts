import type { Namespace, ServerOptions, Socket } from 'socket.io';
import type { BacklogOptions, Waiting } from './backlog/backlogs.ts';
import { Collector, type FanoutCounters } from './collector.ts';
import { attachOutbox, markBroadcast, watchWaiting } from './connection/connection.ts';
import { Broadcast } from './frames/broadcast.ts';
import { Membership, walksLike } from './membership/membership.ts';
import { type Adapter, type AdapterSeam, type BroadcastFilter, isAdapterSeam } from './seams.ts';

export interface FanoutOptions {
  /**
   * Bytes that may wait for one connection until the end of the event-loop iteration. At the bound they are
   * written at once; while the socket does not take them, packets queue in Engine.IO as in stock. Default: 1 MB.
   */
  readonly maxPendingBytes?: number;
  /**
   * A bound for what waits for a connection on whichever path, as one that does not read would have all of it wait.
   * At the bound broadcasts with the flag `droppable` are dropped, then the connection is to be ended. Default: none.
   */
  readonly backlog?: BacklogOptions;
}

/** An adapter factory for the `adapter` option of a Socket.IO server. */
export interface FanoutFactory {
  (namespace: Namespace): Adapter;
  /** What was delivered since the factory was made, in all namespaces. */
  counters(): FanoutCounters;
  /** What waits now, where there is a bound for it. */
  waiting(): Waiting;
  /** Holds a socket to the bound that was written to directly before any broadcast reached it. */
  watch(socket: Pick<Socket, 'client'>): void;
}

/**
 * Decorates an adapter so that a broadcast is encoded and framed once and costs each connection its share of one
 * write per event-loop iteration. What the clients see is what they see without it.
 */
export function fanout(createAdapter: ServerOptions['adapter'], options: FanoutOptions = {}): FanoutFactory {
  const collector = new Collector(options.maxPendingBytes ?? 1_048_576, options.backlog);
  // Socket.IO calls the factory with `new`, which an arrow function would refuse.
  function createFanoutAdapter(namespace: Namespace): Adapter {
    const adapter: Adapter = Reflect.construct(createAdapter, [namespace]);
    if (isAdapterSeam(adapter)) decorate(adapter, collector);
    return adapter;
  }
  return Object.assign(createFanoutAdapter, {
    counters: () => collector.counters,
    waiting: () => collector.backlogs?.waiting ?? NOTHING,
    watch: ({ client }: Pick<Socket, 'client'>) => watchWaiting(client, collector),
  });
}

const NOTHING: Waiting = { connections: 0, bytes: 0, peakBytes: 0 };

function decorate(adapter: AdapterSeam, collector: Collector): void {
  const { _encode: encode, apply } = adapter;
  const attach = (client: object) => attachOutbox(client, collector);
  const membership = walksLike(adapter) ? new Membership(adapter, attach) : null;
  let latest: { readonly broadcast: Broadcast; readonly packet: unknown } | null = null;
  adapter._encode = (packet, options) => {
    const packets = encode.call(adapter, packet, options);
    const broadcast = collector.isWatched ? null : Broadcast.of(packets, options.wsPreEncodedFrame);
    if (broadcast !== null) markBroadcast(options, broadcast);
    latest = broadcast === null ? null : { broadcast, packet };
    membership?.announce(options.volatile ? null : broadcast);
    return packets;
  };
  const walk: AdapterSeam['apply'] =
    membership !== null
      ? (filter, visit) => membership.apply(filter, visit)
      : (filter, visit) =>
          apply.call(adapter, filter, (socket) => {
            attach(socket.client);
            visit(socket);
          });
  adapter.apply = (filter, visit) => {
    if (latest !== null) flag(latest.broadcast, latest.packet, filter);
    latest = null;
    walk(filter, visit);
  };
}

/** The flags of a broadcast are not among the options that its packet is encoded with, but with those it goes out with. */
function flag(broadcast: Broadcast, packet: unknown, { flags, rooms }: BroadcastFilter): void {
  const { droppable, conflate } = flags ?? {};
  if (droppable !== true && typeof conflate !== 'string') return;
  broadcast.isDroppable = true;
  if (typeof conflate !== 'string' || broadcast.packets.length > 1 || !isEvent(packet)) return;
  broadcast.key = JSON.stringify([packet.nsp, [...rooms], packet.data[0], conflate]);
}

function isEvent(packet: unknown): packet is { nsp: unknown; data: unknown[] } {
  return (
    typeof packet === 'object' &&
    packet !== null &&
    'nsp' in packet &&
    Array.isArray(Reflect.get(packet, 'data'))
  );
}
