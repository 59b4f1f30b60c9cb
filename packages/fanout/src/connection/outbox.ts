import type { Collector } from '../collector.ts';
import { type Broadcast, toFrame } from '../frames/broadcast.ts';
import type { Sequence } from '../frames/sequence.ts';
import type { Connection, TcpHandle, Transport } from '../seams.ts';
import { tcpHandleOf } from './direct-writer.ts';
import { type Occupant, type Seat, takeSeat } from './seat.ts';

const OPEN = 1;
/** Of `packetCreate`, at each connection with an outbox. */
const OWN_LISTENERS = 1;

/** The frames of broadcasts that wait for the end of the event-loop iteration, for one connection. */
export class Outbox implements Occupant {
  // What append() and flush() use comes first: at a thousand connections each cache line is missed each time.
  readonly collector: Collector;
  #sequence: Sequence | null = null;
  /** Nothing but this outbox has used the connection since #isReady() looked at all of it. */
  #isUntouched = false;
  /** Stock would be waiting for the callback of a write: `writable` is false though nothing waits. */
  #isInFlight = false;
  /** Stock would have packets queued behind that write, and so one more write and callback. */
  #isQueued = false;
  /** Of what is pending, how much stock would have written by now. */
  #packetsInFlight = 0;
  #handle: TcpHandle | null = null;
  /** The socket has not taken all of a write of this outbox. */
  #isBlocked = false;
  /** The transport of the seat. */
  #transport: Transport | null = null;
  readonly connection: Connection;
  #seat: Seat | null = null;
  #refused: Transport | null = null;

  constructor(connection: Connection, collector: Collector) {
    this.collector = collector;
    this.connection = connection;
  }

  /** Bytes taken and not given to the socket yet. */
  get pendingBytes(): number {
    return this.#sequence?.bytes ?? 0;
  }

  /** Bytes given to the socket that the kernel has not taken yet. */
  get blockedBytes(): number {
    // What went through the stream is in its own count.
    if (!this.#isBlocked || this.#seat?.stream.writableLength !== 0) return 0;
    return this.#handle?.writeQueueSize ?? 0;
  }

  /** Takes a broadcast, or returns false when it has to go the stock way. */
  append(broadcast: Broadcast): boolean {
    if (!this.#isUntouched && !this.#isReady()) return false;
    if (broadcast.hasBinary && this.#seat?.takesBinary !== true) return false;
    if (!this.#push(broadcast)) return false;
    this.collector.fastDeliveries++;
    if (this.#isInFlight) {
      this.#isQueued = true;
      return true;
    }
    this.#isInFlight = true;
    this.#isQueued = broadcast.packets.length > 1;
    this.#packetsInFlight = (this.#sequence?.packets ?? 0) - broadcast.packets.length + 1;
    if (this.#transport !== null) this.#transport.writable = false;
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
    this.#release();
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
    const packets = this.#sequence?.broadcasts().flatMap((broadcast) => broadcast.toEnginePackets()) ?? [];
    const queued = packets.splice(this.#packetsInFlight);
    this.connection.writeBuffer = [...queued, ...this.connection.writeBuffer];
    this.#sequence = null;
    if (packets.length > 0) this.#write(Buffer.concat(packets.map(({ data }) => toFrame(data))));
  }

  #write(bytes: Buffer): void {
    this.#sequence = null;
    this.#packetsInFlight = 0;
    const { collector } = this;
    collector.writes++;
    const handle = this.#handle;
    if (handle !== null && (this.#isUntouched || this.#isStreamIdle())) {
      const outcome = collector.writer.write(handle, bytes);
      if (outcome === 'written') return;
      if (outcome !== 'failed') {
        const isHeld = this.#hold();
        outcome.onWritten = (error) => this.#written(error, isHeld);
        return;
      }
    }
    this.#writeToStream(bytes);
  }

  #writeToStream(bytes: Buffer): void {
    if (this.#seat === null) return;
    const { stream, write } = this.#seat;
    let isHeld = false;
    const onWritten = (error?: Error | null) => this.#written(error ?? null, isHeld);
    this.collector.writer.learnFrom(this.#handle, () => write.call(stream, bytes, undefined, onWritten));
    if (stream.writableLength > 0) isHeld = this.#hold();
  }

  #isStreamIdle(): boolean {
    const stream = this.#seat?.stream;
    return stream?.writable === true && stream.writableLength === 0;
  }

  /** Keeps the transport from being used until a write has completed; returns whether it is ours to free. */
  #hold(): boolean {
    // Where the engine writes behind us, its own callback, which comes after ours, frees the transport.
    const transport = this.#transport;
    if (transport === null || (!this.#isInFlight && !transport.writable)) return false;
    this.#isBlocked = true;
    this.#isUntouched = false;
    transport.writable = false;
    this.collector.backlogs?.watch(this.connection);
    return true;
  }

  #written(error: Error | null, isHeld: boolean): void {
    if (isHeld) this.#isBlocked = false;
    if (this.#seat === null || this.#seat.stream.destroyed) return;
    if (error) {
      this.#seat.transport.onError('write error', error.stack);
      this.#seat.stream.destroy(error);
    } else if (isHeld) {
      this.#release();
    }
  }

  /** As the websocket transport of engine.io does when its last write has completed. */
  #release(): void {
    const transport = this.#transport;
    if (transport === null || this.#isInFlight || this.#isBlocked) return;
    transport.writable = true;
    if (!this.#isUntouched && this.connection.writeBuffer.length > 0) transport.emit('ready');
  }

  #isReady(): boolean {
    const { connection } = this;
    if (connection.readyState !== 'open' || connection.writeBuffer.length > 0) return false;
    if (this.#isBlocked || this.#isWatched()) return false;
    if (connection.transport !== this.#transport && !this.#move(connection.transport)) return false;
    if (this.#seat === null) return false;
    const { transport, webSocket, stream } = this.#seat;
    if (webSocket.readyState !== OPEN || webSocket.bufferedAmount > 0) return false;
    if (!this.#isInFlight && !transport.writable) return false;
    this.#handle = tcpHandleOf(stream);
    this.#isUntouched = true;
    return true;
  }

  /** Whether the application listens to what stock emits for each packet or write. */
  #isWatched(): boolean {
    const { connection } = this;
    return (
      connection.listenerCount('packetCreate') > OWN_LISTENERS ||
      connection.listenerCount('flush') > 0 ||
      connection.listenerCount('drain') > 0 ||
      this.collector.isWatched
    );
  }

  #move(transport: Transport): boolean {
    // Nobody can be moved while something is pending on the seat before.
    if (transport === this.#refused || this.#sequence !== null || this.#isInFlight) return false;
    const seat = takeSeat(transport, this);
    if (seat === null) {
      this.#refused = transport;
      return false;
    }
    this.#seat = seat;
    this.#transport = transport;
    return true;
  }
}
