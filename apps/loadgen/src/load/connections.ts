import { setTimeout as delay } from 'node:timers/promises';
import { Histogram } from '../measure/histogram.ts';
import { addDeliveries, type DeliveryCount, noDeliveries, SequenceTrack } from '../measure/sequence.ts';
import { type Mark, monotonicMicros, readMark } from '../wire/mark.ts';
import { RawSocket, type RawSocketOptions } from '../wire/raw-socket.ts';
import { signToken } from '../wire/token.ts';
import type { CollectOrder, CollectResult, ConnectOrder, ConnectResult, Failures } from '../workers/calls.ts';
import { dueTimes } from './schedule.ts';

interface Connection {
  stream: number;
  track: SequenceTrack;
  open: boolean;
  socket?: RawSocket;
}

const POLL_MS = 10;
const SETTLE_MS = 20;

const countIn = (failures: Failures, error: unknown): void => {
  const message = error instanceof Error ? error.message : String(error);
  failures[message] = (failures[message] ?? 0) + 1;
};

/** Connections of one worker that are opened, counted and closed together. */
export class ConnectionGroup {
  readonly #order: ConnectOrder;
  readonly #connections: Connection[] = [];
  readonly #latency = new Histogram();
  readonly #opening = new Histogram();
  readonly #ended: Failures = {};
  readonly #failures: Failures = {};
  // One mark for all: reading is synchronous and must not allocate per message.
  readonly #mark: Mark = { stream: 0, seq: 0, at: 0 };
  #received = 0;
  #misdirected = 0;
  #payloadBytes = 0;

  constructor(order: ConnectOrder) {
    this.#order = order;
  }

  get open(): number {
    return this.#connections.length;
  }

  get received(): number {
    return this.#received;
  }

  async connect(): Promise<ConnectResult> {
    const { count, concurrency, perSecond } = this.#order;
    const started = performance.now();
    let next = 0;
    const due = perSecond === undefined ? undefined : dueTimes({ perSecond, rampMs: 0 });
    const lane = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) {
        const early = due ? due(index) - (performance.now() - started) : 0;
        if (early > 1) await delay(early);
        await this.#openOne(index).catch((error: unknown) => countIn(this.#failures, error));
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
    const engine = this.#connections[0]?.socket?.engine;
    return {
      opened: this.#connections.length,
      failures: this.#failures,
      ms: performance.now() - started,
      openMicros: this.#opening.counts(),
      ...(engine && { engine }),
    };
  }

  /** Waits for what is under way and says what every connection heard, lost and heard twice. */
  async collect({ streams, waitMs }: CollectOrder): Promise<CollectResult> {
    const deadline = performance.now() + waitMs;
    while (this.#deliveries(streams).lost > 0 && performance.now() < deadline) await delay(POLL_MS);
    // What comes twice may come late.
    await delay(SETTLE_MS);
    return {
      ...this.#deliveries(streams),
      misdirected: this.#misdirected,
      payloadBytes: this.#payloadBytes,
      ended: this.#ended,
      latencyMicros: this.#latency.counts(),
    };
  }

  close(): void {
    for (const { socket } of this.#connections) socket?.close();
  }

  #deliveries(streams: CollectOrder['streams']): DeliveryCount {
    const total = noDeliveries();
    const refused = new Map(Object.entries(streams).map(([n, sent]) => [Number(n), new Set(sent.refused)]));
    for (const { stream, track, open } of this.#connections) {
      if (open) addDeliveries(total, track.count(streams[stream]?.last ?? 0, refused.get(stream)));
    }
    return total;
  }

  async #openOne(index: number): Promise<void> {
    const { first, step, streams, join } = this.#order;
    const number = first + index * step;
    const stream = number % streams;
    const connection: Connection = { stream, track: new SequenceTrack(), open: true };
    const socket = this.#socket(number, index, connection);
    const started = monotonicMicros();
    await socket.open();
    if (join !== undefined) {
      assertOk(await socket.emitWithAck('room:join', { room: join.replace('{n}', String(stream)) }));
    }
    connection.socket = socket;
    this.#opening.record(monotonicMicros() - started);
    this.#connections.push(connection);
  }

  #socket(number: number, index: number, connection: Connection): RawSocket {
    const { servers, streams, mode, namespace, localAddresses } = this.#order;
    const { host, port } = servers[Math.floor(number / streams) % servers.length] ?? { host: '', port: 0 };
    const localAddress = localAddresses?.[index % localAddresses.length];
    const options: RawSocketOptions = {
      host,
      port,
      mode,
      onMessage: (payload) => this.#hear(connection, payload),
      onEnd: (reason) => {
        connection.open = false;
        countIn(this.#ended, reason);
      },
    };
    if (namespace !== undefined) options.namespace = namespace;
    if (localAddress !== undefined) options.localAddress = localAddress;
    const token = this.#order.token ?? this.#signed(number);
    if (token !== undefined) options.auth = { token };
    return new RawSocket(options);
  }

  #signed(number: number): string | undefined {
    const { tokenSecret } = this.#order;
    return tokenSecret === undefined ? undefined : signToken(tokenSecret, `load-${number}`);
  }

  #hear({ stream, track }: Connection, payload: Buffer): void {
    const mark = this.#mark;
    if (!readMark(payload, mark)) return;
    if (mark.stream !== stream) {
      this.#misdirected++;
      return;
    }
    this.#received++;
    this.#payloadBytes += payload.length;
    track.see(mark.seq);
    if (mark.at > 0) this.#latency.record(monotonicMicros() - mark.at);
  }
}

const assertOk = (answer: unknown): void => {
  if (typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true) return;
  throw new Error(`room:join was refused: ${JSON.stringify(answer)}`);
};
