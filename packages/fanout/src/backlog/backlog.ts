import { broadcastOf, outboxOf } from '../connection/connection.ts';
import { sizeOf } from '../connection/pending-bytes.ts';
import type { Broadcast } from '../frames/broadcast.ts';
import { type Connection, isWebSocket, type Transport, type WebSocket, type WriteOptions } from '../seams.ts';

/** A packet in the queue of engine.io 6.6.11. */
interface QueuedPacket {
  data?: unknown;
  options?: WriteOptions;
}

/** What waits for one connection that does not take everything at once; made when something does. */
export class Backlog {
  readonly connection: Connection;
  /** It is to be closed: nothing is queued any more. */
  isCut = false;
  /** Something was dropped since the connection last moved. */
  hasDropped = false;
  /** When it was first seen not to move though it is over its budget, in ms of `performance.now()`. */
  stuckSince: number | null = null;
  #transport: Transport | null = null;
  #webSocket: WebSocket | null = null;
  #lastTransportBytes = 0;
  #lastQueue: ReadonlyArray<unknown>;
  // Engine.IO empties its queue by replacing it, so what was counted of this one stays counted.
  #queue: ReadonlyArray<unknown> = [];
  #counted = 0;
  #queuedBytes = 0;
  #droppables = 0;
  readonly #newest = new Map<string, QueuedPacket>();

  constructor(connection: Connection) {
    this.connection = connection;
    this.#lastQueue = connection.writeBuffer;
  }

  /** Bytes accepted for the connection that the kernel has not taken. */
  get bytes(): number {
    this.#count();
    return this.#queuedBytes + this.#bytesBeyondQueue() + (outboxOf(this.connection)?.pendingBytes ?? 0);
  }

  /** Whether the other side does not take what it is sent; a long-polling client only takes when it asks. */
  get isStalled(): boolean {
    return this.#bytesBeyondQueue() > 0 || this.#webSocket === null;
  }

  /** Whether anything has left since the last time this was asked. */
  hasMoved(): boolean {
    const bytes = this.#bytesBeyondQueue();
    const queue = this.connection.writeBuffer;
    const hasMoved = bytes < this.#lastTransportBytes || queue !== this.#lastQueue;
    this.#lastTransportBytes = bytes;
    this.#lastQueue = queue;
    return hasMoved;
  }

  /** Puts a broadcast in the place of the one that waits under the same key; false when there is none. */
  replace({ key, packets }: Broadcast, options: WriteOptions): boolean {
    this.#count();
    const waiting = key === null ? undefined : this.#newest.get(key);
    if (waiting === undefined || !this.isStalled) return false;
    this.#queuedBytes -= sizeOf(waiting);
    // As engine.io does with the options of what it queues.
    Object.assign(options, { compress: Reflect.get(options, 'compress') !== false });
    Object.assign(waiting, { data: packets[0], options });
    this.#queuedBytes += sizeOf(waiting);
    return true;
  }

  /** Takes everything droppable out of the queue; returns how many broadcasts that were. */
  drop(): number {
    this.#count();
    if (this.#droppables === 0) return 0;
    const waiting = new Map<Broadcast, number>();
    for (const packet of this.connection.writeBuffer) {
      const broadcast = broadcastIn(packet);
      if (broadcast?.isDroppable) waiting.set(broadcast, (waiting.get(broadcast) ?? 0) + 1);
    }
    // Without the attachments that its head has announced, a client cannot read what comes next.
    const dropped = new Set([...waiting].flatMap(([one, count]) => (count >= one.packets.length ? one : [])));
    const kept = this.connection.writeBuffer.filter((packet) => {
      const broadcast = broadcastIn(packet);
      return broadcast === undefined || !dropped.has(broadcast);
    });
    if (this.#lastQueue === this.connection.writeBuffer) this.#lastQueue = kept;
    this.connection.writeBuffer = kept;
    this.#count();
    // What is droppable and left has begun to leave.
    this.#droppables = 0;
    return dropped.size;
  }

  #count(): void {
    const { writeBuffer } = this.connection;
    if (writeBuffer !== this.#queue || writeBuffer.length < this.#counted) {
      this.#queue = writeBuffer;
      this.#counted = 0;
      this.#queuedBytes = 0;
      this.#droppables = 0;
      this.#newest.clear();
    }
    while (this.#counted < writeBuffer.length) this.#include(writeBuffer[this.#counted++]);
  }

  #include(packet: unknown): void {
    this.#queuedBytes += sizeOf(packet);
    const broadcast = broadcastIn(packet);
    if (!broadcast?.isDroppable) return;
    this.#droppables++;
    if (broadcast.key !== null && isQueuedPacket(packet)) this.#newest.set(broadcast.key, packet);
  }

  #bytesBeyondQueue(): number {
    const { transport } = this.connection;
    if (transport !== this.#transport) {
      this.#transport = transport;
      this.#webSocket = isWebSocket(transport.socket) ? transport.socket : null;
    }
    const blockedBytes = outboxOf(this.connection)?.blockedBytes ?? 0;
    return blockedBytes + (this.#webSocket?.bufferedAmount ?? 0);
  }
}

function isQueuedPacket(packet: unknown): packet is QueuedPacket {
  return typeof packet === 'object' && packet !== null;
}

function broadcastIn(packet: unknown): Broadcast | undefined {
  return isQueuedPacket(packet) && packet.options !== undefined ? broadcastOf(packet.options) : undefined;
}
