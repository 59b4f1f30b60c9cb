import { keys } from '../keys.ts';
import { loadScript, type RedisCommands } from '../redis/script.ts';

/** How long a lease runs after it was last renewed, in ms. */
export const LEASE_MS = 6000;
/** How often it is renewed, in ms; each time ended leases of others are looked for. */
export const BEAT_MS = 1000;
/** Silence of all processes after which Redis was away, in ms: no lease runs out by that. */
const PULSE_GAP_MS = 3000;
/** Time to take a lease apart before another process may try, in ms. */
const CLAIM_MS = 3000;

const beatScript = loadScript(new URL('beat.lua', import.meta.url));
const indexScript = loadScript(new URL('index.lua', import.meta.url));
const KEYS = [keys.presenceLeases, keys.presenceEnded, keys.presencePulse] as const;

export interface Beat {
  lease: string;
  /** Opens the lease; leases whose names begin with `replaces` end. */
  opens?: { replaces: string | undefined } | undefined;
  /** A lease that this process gives up. */
  ends?: string | undefined;
  /** How long the lease runs; default 6 s. */
  lifeMs?: number;
}

/** Opens or renews a lease. `ended` are leases that this process is to take apart now. */
export async function beat(
  redis: RedisCommands,
  { lease, opens, ends = '', lifeMs = LEASE_MS }: Beat,
): Promise<{ isOurs: boolean; ended: string[] }> {
  const args = [
    lease,
    lifeMs,
    opens === undefined ? '0' : '1',
    opens?.replaces ?? '',
    PULSE_GAP_MS,
    CLAIM_MS,
    ends,
  ];
  const answer = await beatScript.run(redis, KEYS, args);
  const [isOurs, ...ended] = Array.isArray(answer) ? answer : [];
  return { isOurs: isOurs === 1, ended: ended.map(String) };
}

/** Notes rooms of a lease before it holds users there; false when it has ended. */
export async function addToIndex(
  redis: RedisCommands,
  lease: string,
  { rooms, lifeMs }: { rooms: readonly string[]; lifeMs: number },
): Promise<boolean> {
  const indexKeys = [keys.presenceLeases, keys.presenceRooms(lease)];
  return (await indexScript.run(redis, indexKeys, [lease, lifeMs, ...rooms])) === 1;
}

/** Rooms of the index that are taken apart at once. */
const BATCH = 100;

/** Takes an ended lease apart, room by room; whoever else does the same meanwhile finds nothing to tell. */
export async function takeApart(
  redis: RedisCommands,
  lease: string,
  endRoom: (room: string) => Promise<void>,
): Promise<void> {
  const index = keys.presenceRooms(lease);
  for (;;) {
    const rooms = await redis.srandmember(index, BATCH);
    if (rooms.length === 0) break;
    await Promise.all(rooms.map(endRoom));
    await redis.srem(index, ...rooms);
  }
  await redis.zrem(keys.presenceEnded, lease);
}
