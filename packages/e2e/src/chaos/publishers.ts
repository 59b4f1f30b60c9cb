import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { TOLD } from './member.ts';
import type { Random } from './random.ts';
import type { Position } from './room-track.ts';

const accepted = z.object({
  results: z.array(
    z.object({ room: z.string(), epoch: z.string(), offset: z.int(), duplicate: z.boolean() }),
  ),
});

const ATTEMPT_MS = 3000;
const LANES = 16;

export interface PublishersOptions {
  url: string;
  apiKey: string;
  rooms: readonly string[];
  eventsPerSecond: number;
  payloadBytes: number;
  random: Random;
  /** Starts every id. */
  run: string;
}

/** Backends that publish with ids, retry what is unavailable, and write down what they were told. */
export class Publishers {
  readonly #options: PublishersOptions;
  readonly #truth = new Map<string, Map<string, Map<number, string>>>();
  readonly #ends = new Map<string, Position>();
  readonly #padding: string;
  #lanes: Promise<void>[] = [];
  #running = false;
  #serial = 0;
  readonly counts = { accepted: 0, duplicates: 0, retries: 0 };
  /** Ids of accepted events whose position was given to another one: Redis has lost them. */
  readonly overwritten = new Set<string>();
  /** What no publisher may be told. */
  readonly oddities: string[] = [];
  /** When the last event was accepted, in ms of `performance.now()`. */
  lastAcceptedAt = 0;

  constructor(options: PublishersOptions) {
    this.#options = options;
    this.#padding = 'x'.repeat(options.payloadBytes);
  }

  /** Ids by offset by epoch, of one room. */
  truthOf(room: string): ReadonlyMap<string, ReadonlyMap<number, string>> {
    return this.#truth.get(room) ?? new Map();
  }

  /** The highest position of a room that a publisher was told of, in the epoch of the latest answer. */
  endOf(room: string): Position | undefined {
    return this.#ends.get(room);
  }

  /** Publishes at the rate, in lanes of one event at a time: what is unavailable holds its lane up. */
  start(): void {
    this.#running = true;
    const gapMs = (1000 * LANES) / this.#options.eventsPerSecond;
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#lane(gapMs, (gapMs * lane) / LANES));
  }

  /** Resolves once every event that was begun is accepted. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  /** One event, until it is accepted. */
  async publish(room: string, payload: { bytes?: number } = {}): Promise<void> {
    const id = `${this.#options.run}-${this.#serial++}`;
    const pad = payload.bytes === undefined ? this.#padding : 'x'.repeat(payload.bytes);
    const data = { at: performance.now(), pad };
    while (!(await this.#attempt({ room, event: TOLD, data, id }))) {
      this.counts.retries += 1;
      await delay(100 + Math.random() * 200);
    }
  }

  /** Offsets of the rooms that no publisher was told of although later ones were. */
  holes(): number {
    let holes = 0;
    for (const epochs of this.#truth.values()) {
      for (const offsets of epochs.values()) {
        const all = [...offsets.keys()];
        holes += Math.max(...all) - Math.min(...all) + 1 - all.length;
      }
    }
    return holes;
  }

  async #lane(gapMs: number, offsetMs: number): Promise<void> {
    let due = performance.now() + offsetMs;
    while (this.#running) {
      const early = due - performance.now();
      if (early > 0) await delay(early);
      if (!this.#running) return;
      await this.publish(this.#options.random.pick(this.#options.rooms));
      // Ticks that went by meanwhile are left out, so that an outage is not followed by a flood.
      due = Math.max(due + gapMs, performance.now());
    }
  }

  async #attempt(body: { room: string; event: string; data: unknown; id: string }): Promise<boolean> {
    const { url, apiKey } = this.#options;
    const response = await fetch(`${url}/v1/publish`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${apiKey}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    }).catch(() => undefined);
    const text = await response?.text().catch(() => undefined);
    if (response === undefined || text === undefined || response.status >= 500) return false;
    const parsed = response.ok ? accepted.safeParse(JSON.parse(text)).data : undefined;
    if (parsed === undefined) this.oddities.push(`${response.status} ${text.slice(0, 300)}`);
    for (const result of parsed?.results ?? []) this.#write(result, body.id);
    return true;
  }

  #write(result: Position & { room: string; duplicate: boolean }, id: string): void {
    const { room, epoch, offset, duplicate } = result;
    this.counts.accepted += 1;
    if (duplicate) this.counts.duplicates += 1;
    this.lastAcceptedAt = performance.now();
    const epochs = this.#truth.get(room) ?? new Map<string, Map<number, string>>();
    this.#truth.set(room, epochs);
    const offsets = epochs.get(epoch) ?? new Map<number, string>();
    epochs.set(epoch, offsets);
    const other = offsets.get(offset);
    if (other !== undefined && other !== id) this.overwritten.add(other);
    offsets.set(offset, id);
    const end = this.#ends.get(room);
    if (end?.epoch !== epoch || end.offset < offset) this.#ends.set(room, { epoch, offset });
  }
}
