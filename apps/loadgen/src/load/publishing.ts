import { Agent, request } from 'node:http';
import { publishResponse } from '@fanfare/protocol';
import { Histogram } from '../measure/histogram.ts';
import { formatMark, monotonicMicros } from '../wire/mark.ts';
import { RawSocket } from '../wire/raw-socket.ts';
import type { Failures, PublishOrder, PublishResult, Sent } from '../workers/calls.ts';
import { dueTimes, runOpenLoop } from './schedule.ts';

/** Sends one message and resolves when the cluster has accepted it. */
type Send = (room: string, data: unknown) => Promise<void>;

/** One room: its messages go one after another, so that their order on the wire is defined. */
interface Stream extends Sent {
  room: string;
  tail: Promise<void>;
}

/** Publishes on a fixed timetable, through the HTTP API or from a socket. */
export class Publisher {
  readonly #order: PublishOrder;
  readonly #streams: Map<number, Stream>;
  readonly #ack = new Histogram();
  readonly #failures: Failures = {};
  #accepted = 0;

  constructor(order: PublishOrder) {
    this.#order = order;
    this.#streams = new Map();
    for (let n = order.first; n < order.streams; n += order.step) {
      const room = order.room.replace('{n}', String(n));
      this.#streams.set(n, { room, last: 0, refused: [], tail: Promise.resolve() });
    }
  }

  get accepted(): number {
    return this.#accepted;
  }

  async run(): Promise<PublishResult> {
    const { durationMs, perSecond, rampMs } = this.#order;
    await using sender = await openSender(this.#order);
    const numbers = [...this.#streams.keys()];
    if (numbers.length > 0) {
      const zero = monotonicMicros();
      await runOpenLoop({
        due: dueTimes({ perSecond, rampMs }),
        durationMs,
        send: (index, dueMs) => {
          const stream = numbers[index % numbers.length] ?? 0;
          this.#queue(sender.send, stream, zero + Math.round(dueMs * 1_000));
        },
      });
    }
    await Promise.all([...this.#streams.values()].map((stream) => stream.tail));
    const streams: Record<number, Sent> = {};
    for (const [number, { last, refused }] of this.#streams) streams[number] = { last, refused };
    return {
      accepted: this.#accepted,
      failures: this.#failures,
      streams,
      ackMicros: this.#ack.counts(),
    };
  }

  /** `at`: when it should leave; the time spent behind earlier messages of its room counts as latency. */
  #queue(send: Send, number: number, at: number): void {
    const stream = this.#streams.get(number);
    if (!stream) return;
    const seq = ++stream.last;
    const data = padded(formatMark({ stream: number, seq, at }), this.#order.dataBytes);
    stream.tail = stream.tail
      .then(() => send(stream.room, data))
      .then(() => {
        this.#accepted++;
        this.#ack.record(monotonicMicros() - at);
      })
      .catch((error: unknown) => {
        stream.refused.push(seq);
        const message = error instanceof Error ? error.message : String(error);
        this.#failures[message] = (this.#failures[message] ?? 0) + 1;
      });
  }
}

/** `data` of exactly `bytes` as JSON, where the mark leaves room for it. */
const padded = (mark: string, bytes: number): { mark: string; pad: string } => {
  const empty = JSON.stringify({ mark, pad: '' }).length;
  return { mark, pad: 'x'.repeat(Math.max(0, bytes - empty)) };
};

const openSender = (order: PublishOrder): Promise<{ send: Send } & AsyncDisposable> =>
  order.via === 'http' ? openHttp(order) : openSocket(order);

const openHttp = async ({
  url,
  credential,
  event,
  namespace,
}: PublishOrder): Promise<{ send: Send } & AsyncDisposable> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const target = new URL('/v1/publish', url);
  const send: Send = (room, data) => {
    const body = JSON.stringify({ room, event, data, namespace });
    const headers = {
      authorization: `Bearer ${credential}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    return new Promise((resolve, reject) => {
      const call = request(target, { method: 'POST', agent, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (response.statusCode !== 200)
            reject(new Error(`HTTP ${response.statusCode}: ${text.slice(0, 200)}`));
          else if (publishResponse.safeParse(JSON.parse(text)).success) resolve();
          else reject(new Error(`unexpected answer: ${text.slice(0, 200)}`));
        });
      });
      call.on('error', reject);
      call.end(body);
    });
  };
  return { send, [Symbol.asyncDispose]: async () => agent.destroy() };
};

const openSocket = async ({
  url,
  credential,
  event,
  namespace,
}: PublishOrder): Promise<{ send: Send } & AsyncDisposable> => {
  const { hostname, port, protocol } = new URL(url);
  const socket = new RawSocket({
    host: hostname,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    mode: 'socketio',
    namespace,
    auth: { token: credential },
  });
  await socket.open();
  const send: Send = async (room, data) => {
    const answer = await socket.emitWithAck('room:publish', { room, event, data });
    const accepted = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true;
    if (!accepted) throw new Error(`room:publish was refused: ${JSON.stringify(answer)}`);
  };
  return { send, [Symbol.asyncDispose]: async () => socket.close() };
};
