/** Bits of a hash that choose the register, and how many registers there are: an estimate is off by 1.04 / √REGISTERS, 1.6 %. */
const INDEX_BITS = 12;
const REGISTERS = 2 ** INDEX_BITS;
/** Ranks of what is left of the hash, and 0 for none. */
const RANKS = 32 - INDEX_BITS + 2;

/**
 * Who is there, as a HyperLogLog that can also forget: 5 KB of text however many they are, and the sketches of several
 * processes tell together how many different ones there are. A few hundred are told exactly but for one or two.
 */
export class UserSketch {
  /** How many of those that are there have this register and rank. */
  readonly #counts = new Uint16Array(REGISTERS * RANKS);
  readonly #registers = new Uint8Array(REGISTERS);

  add(name: string): void {
    const { register, rank } = placeOf(name);
    this.#count(register, rank, 1);
    if (rank > (this.#registers[register] ?? 0)) this.#registers[register] = rank;
  }

  /** Forgets one that was added. */
  delete(name: string): void {
    const { register, rank } = placeOf(name);
    this.#count(register, rank, -1);
    let highest = this.#registers[register] ?? 0;
    while (highest > 0 && this.#counts[register * RANKS + highest] === 0) highest -= 1;
    this.#registers[register] = highest;
  }

  toString(): string {
    return Buffer.from(this.#registers).toString('base64');
  }

  #count(register: number, rank: number, by: number): void {
    const at = register * RANKS + rank;
    this.#counts[at] = (this.#counts[at] ?? 0) + by;
  }
}

/** About how many different names all these sketches hold; what is no sketch counts for none. */
export function estimateCount(sketches: readonly string[]): number {
  const merged = new Uint8Array(REGISTERS);
  for (const sketch of sketches) {
    const registers = Buffer.from(sketch, 'base64');
    if (registers.length !== REGISTERS) continue;
    for (const [i, rank] of registers.entries()) if (rank > (merged[i] ?? 0)) merged[i] = rank;
  }
  let empty = 0;
  let sum = 0;
  for (const rank of merged) {
    if (rank === 0) empty += 1;
    sum += 2 ** -rank;
  }
  const raw = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS ** 2) / sum;
  // The more exact of the two while many registers are empty.
  const isSmall = raw <= 2.5 * REGISTERS && empty > 0;
  return Math.round(isSmall ? REGISTERS * Math.log(REGISTERS / empty) : raw);
}

const placeOf = (name: string): { register: number; rank: number } => {
  const hash = hashOf(name);
  const rest = hash << INDEX_BITS;
  return { register: hash >>> (32 - INDEX_BITS), rank: Math.min(Math.clz32(rest) + 1, RANKS - 1) };
};

/** FNV-1a, mixed as MurmurHash3 does at its end: names that differ little get hashes that differ everywhere. */
const hashOf = (name: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};
