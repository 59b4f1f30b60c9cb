import { Client, DatabaseError, type QueryResultRow } from 'pg';

/** An event that waits to be told. */
export interface WaitingRow {
  /** Of all rows that one sequence of ids has given; see `outbox.sql`. */
  instance: string;
  id: number;
  namespace: string;
  room: string | null;
  recipient: string | null;
  event: string;
  /** As JSON. */
  data: string;
  event_id: string;
  excepted: string[] | null;
  tries: number;
  /** Since it was written, in seconds. */
  age: number;
}

/** How the outbox stands. */
export interface OutboxState {
  /** Age of the oldest event that waits, in seconds. */
  lag: number;
  dead: number;
}

/** What this relay needs of `outbox.sql`; a newer one has it too. */
const VERSION = 1;
/** As `outbox.sql` spreads the rooms. */
const PARTITIONS = 16;
/** Most rows of one reading. */
const BATCH_ROWS = 512;
const PRUNED_ROWS = 5000;
const QUERY_MS = 8000;

/** The class of our advisory locks: "FANO". The partitions are its objects, and the relays share one more. */
const LOCKS = 0x46_41_4e_4f;
const RELAYS = 100;

/** A frozen relay loses its session, and with it its locks; the server finds a dead machine by keep-alives. */
const SETTINGS = `SET application_name = 'fanfare outbox'; SET idle_session_timeout = '15s';
SET statement_timeout = '${QUERY_MS}ms'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3; LISTEN fanfare_outbox;
SELECT pg_advisory_lock_shared(${LOCKS}, ${RELAYS})`;

const WAITS = 'told_at IS NULL AND dead_at IS NULL';

const READ = `SELECT opened.instance, row.* FROM fanfare.outbox_open() opened, unnest($1::int[]) AS held(number), LATERAL (
  SELECT id::float8 AS id, namespace, room, recipient, event, data::text AS data, event_id, excepted, tries,
    extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
  FROM fanfare.outbox WHERE partition = held.number AND ${WAITS}
    AND namespace || ' ' || coalesce(room, '~' || recipient) <> ALL ($2::text[])
  ORDER BY id LIMIT $3) row ORDER BY row.id`;

const STATE = `SELECT (SELECT count(*)::int FROM fanfare.outbox WHERE dead_at IS NOT NULL) AS dead,
  (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - oldest.created_at)), 0)::float8
    FROM generate_series(0, ${PARTITIONS - 1}) AS held(number), LATERAL (
      SELECT created_at FROM fanfare.outbox WHERE partition = held.number AND ${WAITS} ORDER BY id LIMIT 1
    ) oldest) AS lag`;

const LOCKED = `SELECT objid::int AS object, pid = pg_backend_pid() AS mine FROM pg_locks
  WHERE locktype = 'advisory' AND classid::bigint = ${LOCKS} AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

const PRUNE = `WITH gone AS (DELETE FROM fanfare.outbox WHERE id = ANY (ARRAY(
  SELECT id FROM fanfare.outbox WHERE told_at < clock_timestamp() - $1 * interval '1 ms'
  ORDER BY told_at LIMIT ${PRUNED_ROWS} FOR UPDATE SKIP LOCKED)) RETURNING 1)
  SELECT count(*)::int AS count FROM gone`;

/** What a database without the outbox says: no such schema, table or function. */
const MISSING: ReadonlySet<unknown> = new Set(['3F000', '42P01', '42883', '42703']);

/** What is wrong with the database, in words that name the way out. */
const explained = (cause: unknown): Error => {
  if (cause instanceof DatabaseError && MISSING.has(cause.code)) {
    return new Error(
      'The database has no outbox of this version: run outbox.sql of @fanfare/publisher as a migration, see docs/outbox.md',
      { cause },
    );
  }
  return new Error(cause instanceof Error ? cause.message : String(cause), { cause });
};

/**
 * One session with the database of the product: its locks hold the partitions, and everything is read and written
 * through it, so that whoever has lost it can do nothing any more.
 */
export class OutboxSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #held = new Set<number>();
  #lost: Error | undefined;

  /** Rejects with a sentence that says what is wrong. `onWake` hears that there is something to do, or that it is lost. */
  static async open(url: string, onWake: () => void): Promise<OutboxSession> {
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: 5000,
      query_timeout: QUERY_MS + 2000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
    });
    const session = new OutboxSession(client, onWake);
    try {
      await client.connect();
      await client.query(SETTINGS);
      const { rows } = await client.query<{ version: number }>('SELECT version FROM fanfare.outbox_open()');
      const version = rows[0]?.version ?? 0;
      if (version < VERSION) {
        throw new Error(
          `The outbox is of version ${version}, and this relay needs ${VERSION}: run outbox.sql again`,
        );
      }
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw explained(error);
    }
  }

  private constructor(client: Client, onWake: () => void) {
    this.#client = client;
    client.on('notification', onWake);
    const lose = (error: Error) => {
      this.#lost ??= error;
      onWake();
    };
    client.on('error', lose);
    client.on('end', () => lose(new Error('The connection has ended')));
  }

  /** The partitions that this session may tell. */
  get held(): ReadonlySet<number> {
    return this.#held;
  }

  /** Takes or gives back partitions, so that all relays have about as many. */
  async share(): Promise<void> {
    const locked = await this.#query<{ object: number; mine: boolean }>(LOCKED, []);
    const relays = locked.filter(({ object }) => object === RELAYS).length;
    const most = Math.ceil(PARTITIONS / Math.max(relays, 1));
    for (const partition of [...this.#held].slice(most)) {
      this.#held.delete(partition);
      await this.#query('SELECT pg_advisory_unlock($1, $2)', [LOCKS, partition]);
    }
    const taken = new Set(locked.map(({ object }) => object));
    for (let partition = 0; partition < PARTITIONS && this.#held.size < most; partition += 1) {
      if (taken.has(partition)) continue;
      const [row] = await this.#query<{ ok: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS ok', [
        LOCKS,
        partition,
      ]);
      if (row?.ok === true) this.#held.add(partition);
    }
  }

  /** What waits, in the order of each room; not that of rooms in `except`, written as `namespace room`. */
  read(except: readonly string[]): Promise<WaitingRow[]> {
    if (this.#held.size === 0) return Promise.resolve([]);
    const each = Math.ceil(BATCH_ROWS / this.#held.size);
    return this.#query<WaitingRow>(READ, [[...this.#held], except, each]);
  }

  async told(ids: readonly number[]): Promise<void> {
    await this.#query('UPDATE fanfare.outbox SET told_at = clock_timestamp() WHERE id = ANY ($1::bigint[])', [
      ids,
    ]);
  }

  /** Counts a try that failed; `dead` says that it was the last one. */
  async failed(id: number, { error, dead }: { error: string; dead: boolean }): Promise<void> {
    await this.#query(
      'UPDATE fanfare.outbox SET tries = tries + 1, error = $2, dead_at = CASE WHEN $3 THEN clock_timestamp() END WHERE id = $1',
      [id, error, dead],
    );
  }

  async state(): Promise<OutboxState> {
    const [state] = await this.#query<OutboxState & QueryResultRow>(STATE, []);
    return state ?? { lag: 0, dead: 0 };
  }

  /** Forgets some of what was told longer ago than `keepMs`; whether there may be more. */
  async prune(keepMs: number): Promise<boolean> {
    const [gone] = await this.#query<{ count: number }>(PRUNE, [keepMs]);
    return gone?.count === PRUNED_ROWS;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.clear();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, 1000);
    await Promise.race([this.#client.end().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  async #query<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    if (this.#lost) throw explained(this.#lost);
    try {
      return (await this.#client.query<Row & QueryResultRow>(text, [...values])).rows;
    } catch (error) {
      throw explained(error);
    }
  }
}
