/** How long it is remembered what was sent, in ms: a deafness that lasts longer is counted from there on. */
const MEMORY_MS = 60_000;
/** Messages within so many ms are remembered together. */
const GRAIN_MS = 50;
/** Most channels remembered by name over all of that time; of older messages only the number is. */
const MAX_NAMES = 20_000;

interface Grain {
  at: number;
  byChannel: Map<string, number>;
  /** Messages whose channels are not remembered. */
  others: number;
}

/** How many messages of a while went to which channel; `others` went to channels that are not remembered. */
export interface SentCounts {
  byChannel: Map<string, number>;
  others: number;
}

/** How many messages this process handed to Redis in the last minute, by channel. Times are of `performance.now()`. */
export class SentLately {
  readonly #grains: Grain[] = [];
  #names = 0;
  /** Grains before this one have lost their names. */
  #named = 0;

  add(channel: string, at: number): void {
    let grain = this.#grains.at(-1);
    if (grain === undefined || at >= grain.at + GRAIN_MS) {
      this.#forget(at - MEMORY_MS);
      grain = { at, byChannel: new Map(), others: 0 };
      this.#grains.push(grain);
    }
    const count = grain.byChannel.get(channel);
    grain.byChannel.set(channel, (count ?? 0) + 1);
    if (count === undefined) this.#names += 1;
    if (this.#names > MAX_NAMES) this.#forgetNames();
  }

  /** At least what was sent between two moments: whole grains. */
  between(from: number, to: number): SentCounts {
    const found: SentCounts = { byChannel: new Map(), others: 0 };
    for (const grain of this.#grains) {
      if (grain.at + GRAIN_MS <= from || grain.at > to) continue;
      found.others += grain.others;
      for (const [channel, count] of grain.byChannel) {
        found.byChannel.set(channel, (found.byChannel.get(channel) ?? 0) + count);
      }
    }
    return found;
  }

  #forget(before: number): void {
    let old = 0;
    for (const grain of this.#grains) {
      if (grain.at >= before) break;
      this.#names -= grain.byChannel.size;
      old += 1;
    }
    this.#grains.splice(0, old);
    this.#named = Math.max(0, this.#named - old);
  }

  #forgetNames(): void {
    const grain = this.#grains[this.#named];
    if (grain === undefined) return;
    for (const count of grain.byChannel.values()) grain.others += count;
    this.#names -= grain.byChannel.size;
    grain.byChannel = new Map();
    // The grain being filled takes names again.
    if (this.#named < this.#grains.length - 1) this.#named += 1;
  }
}
