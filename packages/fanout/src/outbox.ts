import { type Broadcast, toFrame } from './broadcast.ts';
import type { Collector } from './collector.ts';
import { tcpHandleOf } from './direct-writer.ts';
import type { Connection, TcpHandle, Transport } from './seams.ts';
import { type Occupant, type Seat, takeSeat } from './seat.ts';
import type { Sequence } from './sequence.ts';

const OPEN = 1;

/** The frames of broadcasts that wait for the end of the event-loop iteration, for one connection. */
export class Outbox implements Occupant {
  readonly connection: Connection;
  readonly collector: Collector;
  #seat: Seat | null = null;
  #refused: Transport | null = null;
  #handle: TcpHandle | null = null;
  #sequence: Sequence | null = null;
  /** Nothing but this outbox has used the connection since #isReady() looked at all of it. */
  #isUntouched = false;
  /** Stock would be waiting for the callback of a write: `writable` is false though nothing waits. */
  #isInFlight = false;
  /** Stock would have packets queued behind that write, and so one more write and callback. */
  #isQueued = false;
  /** Of what is pending, how much stock would have written by now. */
  #packetsInFlight = 0;
  /** The socket has not taken all of a write of this outbox. */
  #isBlocked = false;
  /** Listeners of the application to events that stock emits for each packet or write. */
  watchers = 0;

  constructor(connection: Connection, collector: Collector) {
    this.connection = connection;
    this.collector = collector;
  }

  /** Bytes taken and not given to the socket yet. */
  get pendingBytes(): number {
    return this.#sequence?.bytes ?? 0;
  }

  /** Bytes given to the socket that the kernel has not taken yet. */
  get blockedBytes(): number {
    return this.#isBlocked ? (this.#handle?.writeQueueSize ?? 0) : 0;
  }

  /** Takes a broadcast, or returns false when it has to go the stock way. */
  append(broadcast: Broadcast): boolean {
    if (!this.#isUntouched && !this.#isReady()) return false;
    const transport = this.#seat?.transport;
    if (transport === undefined) return false;
    if (broadcast.hasBinary && (transport.protocol !== 4 || !transport.supportsBinary)) return false;
    if (!this.#push(broadcast)) return false;
    if (this.#isInFlight) {
      this.#isQueued = true;
      return true;
    }
    this.#isInFlight = true;
    this.#isQueued = broadcast.packets.length > 1;
    this.#packetsInFlight = (this.#sequence?.packets ?? 0) - broadcast.packets.length + 1;
    transport.writable = false;
    this.collector.settleLater(this, broadcast);
    return true;
  }

  /** Called where stock would hear that its write is done; returns false when stock would write once more. */
  settle(): boolean {
    if (this.#isQueued && (this.#isUntouched || this.connection.writeBuffer.length === 0)) {
      this.#isQueued = false;
      this.#packetsInFlight = this.#sequence?.packets ?? 0;
      return false;
    }
    this.#isInFlight = false;
    this.#isQueued = false;
    if (!this.#isBlocked) this.#release();
    return true;
  }

  /** Writes what is pending. */
  flush(): void {
    const bytes = this.#sequence?.join();
    if (bytes !== undefined) this.#write(bytes);
  }

  yield(): void {
    if (this.#isQueued) this.#giveBack();
    this.flush();
    this.#isUntouched = false;
  }

  yieldToDestroy(hasFailed: boolean): void {
    if (this.#isQueued) this.#giveBack();
    // A second error would hide the one that the stream is destroyed with.
    if (hasFailed) this.#sequence = null;
    this.flush();
    this.#isUntouched = false;
  }

  /** Somebody else uses the connection: look at it again before the next append. */
  touch(): void {
    this.#isUntouched = false;
  }

  #push(broadcast: Broadcast): boolean {
    const { root, maxPendingBytes } = this.collector;
    const next = (this.#sequence ?? root).plus(broadcast);
    if (next.bytes > maxPendingBytes) return false;
    if (this.#sequence === null) this.collector.add(this);
    this.#sequence = next;
    return true;
  }

  /** Puts the packets that stock would not have written yet where stock would have them. */
  #giveBack(): void {
    this.#isQueued = false;
    const packets = this.#sequence?.broadcasts().flatMap((broadcast) => broadcast.packets) ?? [];
    const queued = packets.splice(this.#packetsInFlight);
    this.connection.writeBuffer.unshift(
      ...queued.map((data) => ({ type: 'message', data, options: { compress: true } })),
    );
    this.#sequence = null;
    if (packets.length > 0) this.#write(Buffer.concat(packets.map(toFrame)));
  }

  #write(bytes: Buffer): void {
    this.#sequence = null;
    this.#packetsInFlight = 0;
    const seat = this.#seat;
    if (seat === null) return;
    const { writer } = this.collector;
    this.collector.writes++;
    if (this.#canWriteDirectly(seat)) {
      const outcome = writer.write(this.#handle, bytes, this.#onWritten);
      if (outcome === 'blocked') this.#block(seat);
      if (outcome !== 'failed') return;
    }
    writer.learnFrom(this.#handle, () => seat.write.call(seat.stream, bytes, undefined, this.#onWritten));
    if (seat.stream.writableLength > 0) this.#block(seat);
  }

  #canWriteDirectly({ stream }: Seat): boolean {
    if (this.#handle === null) return false;
    return this.#isUntouched || (stream.writable && stream.writableLength === 0);
  }

  #block({ transport }: Seat): void {
    // Where the engine is writing behind us, its own callback, which comes after ours, frees the transport.
    if (!transport.writable && !this.#isInFlight) return;
    this.#isBlocked = true;
    this.#isUntouched = false;
    transport.writable = false;
  }

  readonly #onWritten = (error?: Error | null): void => {
    const seat = this.#seat;
    const wasBlocked = this.#isBlocked;
    this.#isBlocked = false;
    if (seat === null || seat.stream.destroyed) return;
    if (error) {
      seat.transport.onError('write error', error.stack);
      seat.stream.destroy(error);
    } else if (wasBlocked && !this.#isInFlight) {
      this.#release();
    }
  };

  /** As the websocket transport of engine.io does when its last write has completed. */
  #release(): void {
    const transport = this.#seat?.transport;
    if (transport === undefined) return;
    transport.writable = true;
    if (!this.#isUntouched && this.connection.writeBuffer.length > 0) transport.emit('ready');
  }

  #isReady(): boolean {
    const { connection } = this;
    if (connection.readyState !== 'open' || connection.writeBuffer.length > 0) return false;
    if (this.#isBlocked || this.watchers > 0) return false;
    if (connection.transport !== this.#seat?.transport && !this.#move(connection.transport)) return false;
    const seat = this.#seat;
    if (seat === null || seat.webSocket.readyState !== OPEN || seat.webSocket.bufferedAmount > 0)
      return false;
    if (!this.#isInFlight && !seat.transport.writable) return false;
    this.#handle = tcpHandleOf(seat.stream);
    this.#isUntouched = true;
    return true;
  }

  #move(transport: Transport): boolean {
    // Nobody can be moved while something is pending on the seat before.
    if (transport === this.#refused || this.#sequence !== null || this.#isInFlight) return false;
    const seat = takeSeat(transport, this);
    if (seat === null) this.#refused = transport;
    else this.#seat = seat;
    return seat !== null;
  }
}
