// Runs in a thread of its own: what the attackers cost this process does not show in what the clients measure.
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { io, type Socket } from 'socket.io-client';
import { quantile } from '../chaos/verdict.ts';
import { type HealthyOptions, healthyOptions, type Window } from './healthy.ts';

const HEARD = 'hostile:told';
const PATIENCE_MS = 5000;
/** Longest wait for what a window has to hold, on a machine that others use. */
const ENOUGH_MS = 10_000;
const GAP_MS = 25;

class HealthyClients {
  readonly #options: HealthyOptions;
  readonly #sockets: Socket[] = [];
  readonly #pending = new Map<string, { at: number; left: number }>();
  #latencies: number[] = [];
  #disconnects = 0;
  #unheard = 0;
  #refused = 0;
  #serial = 0;
  #paused = false;

  constructor(options: HealthyOptions) {
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { clients, nodes, token, rooms } = this.#options;
    const joining = Array.from({ length: clients }, async (_, i) => {
      const socket = io(nodes[i % nodes.length] ?? '', {
        auth: { token },
        transports: ['websocket'],
        forceNew: true,
      });
      this.#sockets.push(socket);
      socket.on('disconnect', () => {
        this.#disconnects += 1;
      });
      socket.on(HEARD, (id: unknown) => this.#hear(String(id)));
      const joined = () => socket.emitWithAck('room:join', { room: `hostile:${i % rooms}` });
      await new Promise<void>((resolve) => {
        socket.on('connect', () => void joined().then(() => resolve()));
      });
    });
    await Promise.all(joining);
  }

  async publish(): Promise<never> {
    for (;;) {
      if (!this.#paused) void this.#publishOne();
      await delay(GAP_MS);
    }
  }

  /** What was measured since the last call, once there is as much as was asked for; waits for what is under way. */
  async window(atLeast: number): Promise<Window> {
    const enough = performance.now() + ENOUGH_MS;
    while (this.#latencies.length < atLeast && performance.now() < enough) await delay(GAP_MS);
    this.#paused = true;
    const until = performance.now() + PATIENCE_MS;
    while (this.#pending.size > 0 && performance.now() < until) await delay(5);
    this.#unheard += this.#pending.size;
    this.#pending.clear();
    const sorted = Float64Array.from(this.#latencies).sort();
    const window = {
      heard: sorted.length,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      max: quantile(sorted, 1),
      disconnects: this.#disconnects,
      unheard: this.#unheard,
      refused: this.#refused,
    };
    this.#latencies = [];
    [this.#disconnects, this.#unheard, this.#refused] = [0, 0, 0];
    this.#paused = false;
    return window;
  }

  async #publishOne(): Promise<void> {
    const { url, apiKey, clients, rooms } = this.#options;
    const id = `h${this.#serial++}`;
    this.#pending.set(id, { at: performance.now(), left: Math.floor(clients / rooms) });
    const response = await fetch(`${url}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ room: `hostile:${this.#serial % rooms}`, event: HEARD, data: id, id }),
    }).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    this.#refused += 1;
    this.#pending.delete(id);
  }

  #hear(id: string): void {
    const waiting = this.#pending.get(id);
    if (waiting === undefined) return;
    this.#latencies.push(performance.now() - waiting.at);
    waiting.left -= 1;
    if (waiting.left === 0) this.#pending.delete(id);
  }
}

const clients = new HealthyClients(healthyOptions.parse(workerData));
await clients.connect();
void clients.publish();
parentPort?.on('message', async (atLeast: unknown) =>
  parentPort?.postMessage(await clients.window(Number(atLeast))),
);
parentPort?.postMessage('ready');
