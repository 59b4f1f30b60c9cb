import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '@fanfare/client';
import { type Stack, startStack } from '@fanfare/local';
import { outboxSql } from '@fanfare/publisher/outbox';
import { eventually, freePort, PostgresServer } from '@fanfare/testing';
import { Pool } from 'pg';
import { createRandom, type Random } from '../chaos/random.ts';
import { quantile } from '../chaos/verdict.ts';
import { type Relays, startRelays } from './relays.ts';
import { keyOf, startWriter, TOLD, type Told } from './writers.ts';

export interface OutboxRun {
  seed: number;
  /** How often an api process is killed; PostgreSQL and Redis are at every fifth time. */
  moments: number;
}

/** What came of a run; every list is empty and every number of `faults` is 0 where the guarantee holds. */
export interface OutboxVerdict {
  ok: boolean;
  seed: number;
  killed: { api: number; postgres: number; redis: number };
  committed: number;
  undone: number;
  faults: {
    /** Committed, and not heard by a member. */
    lost: number;
    /** Heard more than once by a member. */
    doubled: number;
    /** Heard by a member in another order than that of the commits. */
    outOfOrder: number;
    /** Heard, and not committed. */
    untrue: number;
    /** Said to be committed, and not in the table. */
    forgotten: number;
    dead: number;
    resets: number;
  };
  /** From the commit to the member, of one event at a time with nothing else going on. */
  idleMs: { p50: number; p99: number; max: number };
  tookMs: number;
}

const ROOMS = ['project:1', 'project:2', 'project:3', 'project:4'];
const WRITERS = 4;
const MEMBERS = 3;
const RELAYS = 2;
const LONGEST_PAUSE_MS = 300;
const IDLE_EVENTS = 100;
const SETTLE_MS = 60_000;

interface Events {
  [TOLD]: Told;
}

/** Somebody in all rooms, and what they heard in each. */
class Member implements Disposable {
  readonly heard = new Map<string, Told[]>(ROOMS.map((room) => [room, []]));
  resets = 0;
  onTold: (told: Told) => void = () => undefined;
  readonly #client: Client<Events>;

  constructor({ url, token }: { url: string; token: Stack['token'] }) {
    this.#client = createClient<Events>({ url, token, backoff: { delayMs: 100 } });
  }

  async join(): Promise<void> {
    const joining = ROOMS.map((room) => {
      const hear = (told: Told) => {
        this.heard.get(room)?.push(told);
        this.onTold(told);
      };
      const onReset = () => {
        this.resets += 1;
      };
      return this.#client.join(room, { [TOLD]: hear }, { onReset }).joined();
    });
    await Promise.all(joining);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

interface Scene {
  stack: Stack;
  postgres: PostgresServer;
  relays: Relays;
  members: readonly Member[];
  pool: Pool;
}

const open = async (stack: AsyncDisposableStack): Promise<Scene> => {
  const env = { FANFARE_RETENTION: '**=1000000/1gb/24h' };
  const port = await freePort();
  let redisUrl = '';
  const [postgres, cluster] = await Promise.all([
    PostgresServer.start({ settings: { max_connections: '50' } }),
    startStack({
      nodes: 2,
      env,
      redis: { port },
      redisUrlOf: (name, login) => {
        const url = `redis://${login}127.0.0.1:${port}`;
        if (name === 'api') redisUrl = url;
        return url;
      },
    }),
  ]);
  stack.use(postgres);
  stack.use(cluster);
  const pool = new Pool({ connectionString: postgres.url });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());
  await pool.query(outboxSql());
  const relays = stack.use(
    await startRelays(RELAYS, {
      ...env,
      REDIS_URL: redisUrl,
      FANFARE_OUTBOX_DATABASE_URL: postgres.url,
      FANFARE_OUTBOX_KEEP_MS: '86400000',
    }),
  );
  const members = Array.from({ length: MEMBERS }, () => stack.use(new Member(cluster)));
  await Promise.all(members.map((member) => member.join()));
  return { stack: cluster, postgres, relays, members, pool };
};

/** How long an event takes from its commit to a member while nothing else happens, in ms, sorted. */
const measureIdle = async ({ pool, members }: Scene): Promise<Float64Array> => {
  const [member] = members;
  const took = new Float64Array(IDLE_EVENTS);
  for (const n of took.keys()) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (member) member.onTold = () => resolve();
    const data = JSON.stringify({ writer: -1, transaction: n, n: 0 } satisfies Told);
    await pool.query('SELECT fanfare.publish($1, $2, $3::jsonb)', [ROOMS[n % ROOMS.length], TOLD, data]);
    const committedAt = performance.now();
    await promise;
    took[n] = performance.now() - committedAt;
  }
  return took.sort();
};

/** Kills what the seed says, when it says it. */
const disturb = async (scene: Scene, { moments, random }: { moments: number; random: Random }) => {
  const killed = { api: 0, postgres: 0, redis: 0 };
  for (let moment = 0; moment < moments; moment += 1) {
    await delay(random.below(LONGEST_PAUSE_MS));
    const replaced = scene.relays.replace(random.below(scene.relays.count));
    killed.api += 1;
    if (moment % 5 === 4) {
      await delay(random.below(LONGEST_PAUSE_MS));
      const victim = random.pick(['postgres', 'redis'] as const);
      const server = victim === 'postgres' ? scene.postgres : scene.stack.redis;
      server.kill('SIGKILL');
      killed[victim] += 1;
      await delay(random.below(LONGEST_PAUSE_MS));
      await server.restart();
    }
    await replaced;
  }
  return killed;
};

/** What each room was to hear: its rows in the order of commits. */
const committedOf = async (pool: Pool): Promise<Map<string, string[]>> => {
  const { rows } = await pool.query<{ room: string; data: Told }>(
    'SELECT room, data FROM fanfare.outbox ORDER BY id',
  );
  const all = new Map<string, string[]>(ROOMS.map((room) => [room, []]));
  for (const { room, data } of rows) all.get(room)?.push(keyOf(data));
  return all;
};

const untilTold = (scene: Scene): Promise<Map<string, string[]>> =>
  eventually(
    async () => {
      const { rows } = await scene.pool.query<{ waiting: number }>(
        'SELECT count(*)::int AS waiting FROM fanfare.outbox WHERE told_at IS NULL AND dead_at IS NULL',
      );
      if (rows[0]?.waiting !== 0) throw new Error(`${rows[0]?.waiting} events are not told`);
      return committedOf(scene.pool);
    },
    { timeoutMs: SETTLE_MS },
  );

/** Members hear the last of each room, unless it is lost. */
const untilHeard = (scene: Scene, committed: ReadonlyMap<string, readonly string[]>): Promise<void> =>
  eventually(
    () => {
      for (const { heard } of scene.members) {
        for (const [room, keys] of committed) {
          if ((heard.get(room)?.length ?? 0) < keys.length) throw new Error(`${room} is not complete`);
        }
      }
    },
    { timeoutMs: 15_000 },
  ).catch(() => undefined);

const countFaults = (members: readonly Member[], committed: ReadonlyMap<string, readonly string[]>) => {
  const faults = { lost: 0, doubled: 0, outOfOrder: 0, untrue: 0, resets: 0 };
  for (const member of members) {
    faults.resets += member.resets;
    for (const [room, keys] of committed) {
      const heard = (member.heard.get(room) ?? []).map(keyOf);
      const once = new Set(heard);
      const place = new Map(keys.map((key, i) => [key, i]));
      faults.lost += keys.filter((key) => !once.has(key)).length;
      faults.doubled += heard.length - once.size;
      faults.untrue += heard.filter((key) => !place.has(key)).length;
      const places = [...once].flatMap((key) => place.get(key) ?? []);
      faults.outOfOrder += places.filter((at, i) => at < (places[i - 1] ?? -1)).length;
    }
  }
  return faults;
};

/** Writes while processes are killed, and compares what members heard with what was committed. */
export const runOutbox = async ({ seed, moments }: OutboxRun): Promise<OutboxVerdict> => {
  const startedAt = performance.now();
  const random = createRandom(seed);
  await using owned = new AsyncDisposableStack();
  const scene = await open(owned);
  const idle = await measureIdle(scene);
  const writers = Array.from({ length: WRITERS }, (_, writer) =>
    startWriter({ writer, url: scene.postgres.url, rooms: ROOMS, random: createRandom(seed + writer + 1) }),
  );
  const killed = await disturb(scene, { moments, random });
  await Promise.all(writers.map((writer) => writer.stop()));
  const committed = await untilTold(scene);
  await untilHeard(scene, committed);
  const { rows } = await scene.pool.query<{ dead: number }>(
    'SELECT count(*)::int AS dead FROM fanfare.outbox WHERE dead_at IS NOT NULL',
  );
  const there = new Set([...committed.values()].flat());
  const undone = writers.flatMap((writer) => [...writer.undone]);
  const said = writers.flatMap((writer) => [...writer.committed]);
  const faults = {
    ...countFaults(scene.members, committed),
    forgotten: said.filter((key) => !there.has(key)).length,
    dead: rows[0]?.dead ?? 0,
  };
  const wrong = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return {
    ok: wrong === 0 && said.length > 0 && undone.every((key) => !there.has(key)),
    ...{ seed, killed, committed: there.size, undone: undone.length, faults },
    idleMs: { p50: quantile(idle, 0.5), p99: quantile(idle, 0.99), max: quantile(idle, 1) },
    tookMs: Math.round(performance.now() - startedAt),
  };
};
