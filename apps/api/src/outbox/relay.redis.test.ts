import { readFile } from 'node:fs/promises';
import {
  connectRedis,
  DEFAULT_RETENTION,
  EventLog,
  inboxRoom,
  publishOverRedis,
  type RedisLink,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { createLogger, createRegistry } from '@fanfare/runtime';
import { eventually, PostgresServer, RedisServer } from '@fanfare/testing';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOutboxEvents } from './events.ts';
import { createOutboxRelay, type OutboxRelay } from './relay.ts';

const OUTBOX = new URL('../../../../packages/publisher/outbox.sql', import.meta.url);

let postgres: PostgresServer;
let redis: RedisServer;
let databases = 0;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([
    PostgresServer.start(),
    RedisServer.start({ args: ['--appendonly', 'yes'] }),
  ]);
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

/** A database of its own, with the outbox unless it is to be empty. */
const openDatabase = async ({ isEmpty = false } = {}): Promise<Pool & AsyncDisposable & { url: string }> => {
  databases += 1;
  const admin = new Pool({ connectionString: postgres.url });
  await admin.query(`CREATE DATABASE test${databases}`);
  await admin.end();
  const url = postgres.url.replace(/\/postgres$/, `/test${databases}`);
  const pool = new Pool({ connectionString: url });
  pool.on('error', () => undefined);
  if (!isEmpty) await pool.query(await readFile(OUTBOX, 'utf8'));
  return Object.assign(pool, { url, [Symbol.asyncDispose]: () => pool.end() });
};

interface TestRelay extends AsyncDisposable {
  relay: OutboxRelay;
  log: EventLog;
  link: RedisLink;
  /** A metric's value. */
  metric(name: string): Promise<number>;
}

const startRelay = (url: string, options: { tries?: number; keepMs?: number } = {}): TestRelay => {
  const link = connectRedis({ target: redisUrl.parse(redis.url), name: 'test', onChange: () => undefined });
  const log = new EventLog(link, retentionRules.parse(DEFAULT_RETENTION));
  const registry = createRegistry({ app: 'api', worker: '0' });
  const events = createOutboxEvents(createLogger({ level: 'silent', bindings: {} }), registry);
  const publisher = publishOverRedis({
    link,
    bus: { send: async (to, message) => Number(await link.publish(to, message)) },
    log,
  });
  const relay = createOutboxRelay({
    ...{ url, pollMs: 100, tries: 3, keepMs: 60_000, namespaces: ['/', '/chat'], publisher, events },
    ...options,
  });
  relay.start();
  return {
    relay,
    log,
    link,
    metric: async (name) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value ?? Number.NaN,
    [Symbol.asyncDispose]: async () => {
      await relay.stop();
      await link[Symbol.asyncDispose]();
    },
  };
};

const publish = (pool: Pool, room: string, data: unknown, namespace = '/') =>
  pool.query('SELECT fanfare.publish($1, $2, $3::jsonb, namespace => $4)', [
    room,
    'task:created',
    JSON.stringify(data),
    namespace,
  ]);

const past = async (log: EventLog, room: string): Promise<unknown[]> =>
  (await log.history({ namespace: '/', room }, { direction: 'forward', limit: 500 })).events.map(
    ({ data }) => data,
  );

/** Resolves when nothing waits any more. */
const untilTold = (pool: Pool) =>
  eventually(
    async () => {
      const { rows } = await pool.query(
        'SELECT id, error FROM fanfare.outbox WHERE told_at IS NULL AND dead_at IS NULL',
      );
      expect(rows).toEqual([]);
    },
    { timeoutMs: 15_000 },
  );

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('a relay (G3)', () => {
  it('tells what is committed in the order of each room, and nothing that is not', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    const writers = numbers(8).map(async (writer) => {
      for (const n of numbers(20)) {
        const client = await pool.connect();
        await client.query('BEGIN');
        await client.query("SELECT fanfare.publish('order:1', 'task:created', to_jsonb($1::text))", [
          `${writer} ${n}`,
        ]);
        await client.query(n % 3 === 0 ? 'ROLLBACK' : 'COMMIT');
        client.release();
      }
    });
    await Promise.all(writers);
    await pool.query("SELECT fanfare.publish_to_user('kim|1', 'hug:sent', '7')");
    await untilTold(pool);
    const { rows } = await pool.query("SELECT data FROM fanfare.outbox WHERE room = 'order:1' ORDER BY id");
    expect(rows).toHaveLength(8 * 13);
    expect(await past(one.log, 'order:1')).toEqual(rows.map(({ data }) => data));
    expect(await past(one.log, inboxRoom('kim|1'))).toEqual([7]);
    expect(await one.metric('fanfare_outbox_told_total')).toBe(8 * 13 + 1);
  });

  it('tells an event once however late it comes again', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    for (const n of numbers(3)) await publish(pool, 'once:1', n);
    await untilTold(pool);
    for (const key of await one.link.pub.keys('*once:1*:id:*')) await one.link.pub.del(key);
    await pool.query('UPDATE fanfare.outbox SET told_at = NULL');
    await publish(pool, 'once:1', 3);
    await untilTold(pool);
    expect(await past(one.log, 'once:1')).toEqual([0, 1, 2, 3]);
  });

  it('tells what follows a database that was set back', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    for (const n of numbers(3)) await publish(pool, 'restored:1', n);
    await untilTold(pool);
    await pool.query('TRUNCATE fanfare.outbox; ALTER SEQUENCE fanfare.outbox_id RESTART');
    await publish(pool, 'restored:1', 3);
    await untilTold(pool);
    expect(await past(one.log, 'restored:1')).toEqual([0, 1, 2, 3]);
  });
});

describe('several relays', () => {
  it('share the rooms, tell each event once, and take over from one that stops', async () => {
    await using pool = await openDatabase();
    const relays = [startRelay(pool.url), startRelay(pool.url), startRelay(pool.url)];
    await using stack = new AsyncDisposableStack();
    for (const one of relays) stack.use(one);
    // All 16, and nobody more than 6: two that take what one gives back may also end with 5 each.
    await eventually(async () => {
      const held = await Promise.all(relays.map(({ metric }) => metric('fanfare_outbox_partitions')));
      expect(held.reduce((sum, count) => sum + count, 0)).toBe(16);
      expect(Math.max(...held)).toBeLessThanOrEqual(6);
    });
    const rooms = numbers(20).map((room) => `shared:${room}`);
    const write = async (from: number) => {
      for (const n of numbers(5)) for (const room of rooms) await publish(pool, room, from + n);
    };
    await write(0);
    await relays[0]?.relay.stop();
    await write(5);
    await untilTold(pool);
    const [first] = relays;
    for (const room of rooms) expect(first && (await past(first.log, room)), room).toEqual(numbers(10));
  });
});

describe('an event that cannot be told', () => {
  it('is given up after its tries, and then the rest of its room is told', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    await publish(pool, 'poison:1', 'deep', '/unknown');
    await publish(pool, 'poison:1', 1);
    await untilTold(pool);
    const { rows } = await pool.query('SELECT tries, error FROM fanfare.outbox WHERE dead_at IS NOT NULL');
    expect(rows).toEqual([{ tries: 3, error: 'There is no namespace "/unknown" in this cluster' }]);
    expect(await one.metric('fanfare_outbox_dead_letters_total')).toBe(1);
    await eventually(async () => expect(await one.metric('fanfare_outbox_dead_letters')).toBe(1));
  });

  it('is given up at once when no try can mend it, and told when it is tried again by hand', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
    const insert = "INSERT INTO fanfare.outbox (room, event, data) VALUES ('deep:1', 'task:created', $1)";
    await pool.query(insert, [deep]);
    await publish(pool, 'deep:1', 1);
    await untilTold(pool);
    expect(await past(one.log, 'deep:1')).toEqual([1]);
    await pool.query("UPDATE fanfare.outbox SET data = '2' WHERE dead_at IS NOT NULL");
    await pool.query('SELECT fanfare.outbox_retry(id) FROM fanfare.outbox WHERE dead_at IS NOT NULL');
    await untilTold(pool);
    expect(await past(one.log, 'deep:1')).toEqual([1, 2]);
  });

  it('is never one that Redis was away for', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url, { tries: 1 });
    await publish(pool, 'away:1', 0);
    await untilTold(pool);
    redis.kill();
    for (const n of [1, 2]) await publish(pool, 'away:1', n);
    await publish(pool, 'away:2', 0);
    await eventually(
      async () => expect(await one.metric('fanfare_outbox_retries_total')).toBeGreaterThan(4),
      {
        timeoutMs: 15_000,
      },
    );
    await redis.restart();
    await untilTold(pool);
    expect(await past(one.log, 'away:1')).toEqual([0, 1, 2]);
    expect(await one.metric('fanfare_outbox_dead_letters_total')).toBe(0);
  });
});

describe('the database of the outbox', () => {
  it('without the outbox is named, and used as soon as it has one', async () => {
    await using pool = await openDatabase({ isEmpty: true });
    await using one = startRelay(pool.url);
    await eventually(() => expect(one.relay.problem).toContain('run outbox.sql'));
    await pool.query(await readFile(OUTBOX, 'utf8'));
    await eventually(() => expect(one.relay.problem).toBeUndefined());
  });

  it('may be killed: what was committed is told once it is back', async () => {
    await using pool = await openDatabase();
    await using one = startRelay(pool.url);
    await publish(pool, 'killed:1', 0);
    await untilTold(pool);
    postgres.kill();
    await eventually(() => expect(one.relay.problem).toBeDefined());
    await postgres.restart();
    await publish(pool, 'killed:1', 1);
    await untilTold(pool);
    expect(await past(one.log, 'killed:1')).toEqual([0, 1]);
    expect(one.relay.problem).toBeUndefined();
  });

  it('is freed of what was told long enough ago', async () => {
    await using pool = await openDatabase();
    await publish(pool, 'old:1', 0);
    await pool.query('UPDATE fanfare.outbox SET told_at = clock_timestamp()');
    await using _one = startRelay(pool.url, { keepMs: 0 });
    await eventually(async () => expect((await pool.query('SELECT 1 FROM fanfare.outbox')).rows).toEqual([]));
  });

  it('is freed of very much at every look, not of some of it now and then', async () => {
    await using pool = await openDatabase();
    await pool.query(`INSERT INTO fanfare.outbox (room, event, data, told_at)
      SELECT 'old:' || n % 100, 'task:created', '1', clock_timestamp() FROM generate_series(1, 12000) n`);
    await using _one = startRelay(pool.url, { keepMs: 0 });
    await eventually(async () => expect((await pool.query('SELECT 1 FROM fanfare.outbox')).rows).toEqual([]));
  });

  it('needs no superuser for the one who writes, nor for the one who tells', async () => {
    await using pool = await openDatabase();
    await pool.query(`CREATE ROLE app; GRANT USAGE ON SCHEMA fanfare TO app; GRANT INSERT ON fanfare.outbox TO app;
      GRANT SELECT (event_id) ON fanfare.outbox TO app; GRANT USAGE ON SEQUENCE fanfare.outbox_id TO app`);
    await pool.query(
      "BEGIN; SET LOCAL ROLE app; SELECT fanfare.publish('role:1', 'task:created', '1'); COMMIT",
    );
    await pool.query(`CREATE ROLE relay LOGIN PASSWORD 'relay'; GRANT USAGE ON SCHEMA fanfare TO relay;
      GRANT SELECT, UPDATE, DELETE ON fanfare.outbox, fanfare.outbox_state TO relay;
      GRANT SELECT ON SEQUENCE fanfare.outbox_id TO relay`);
    const url = new URL(pool.url);
    url.username = url.password = 'relay';
    await using one = startRelay(url.href);
    await untilTold(pool);
    expect(await past(one.log, 'role:1')).toEqual([1]);
  });
});
