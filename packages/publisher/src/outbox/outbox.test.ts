import { readFile } from 'node:fs/promises';
import { isProtocolEvent, LIMITS } from '@fanfare/protocol';
import { eventually, PostgresServer } from '@fanfare/testing';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type OutboxEvent,
  type OutboxToRoom,
  type OutboxToUser,
  outboxSql,
  PublishError,
  writeOutbox,
} from './index.ts';

type Row = { id: string; room: string | null; recipient: string | null; event: string; data: unknown };

// A PostgreSQL starts, on a machine that may be busy.
vi.setConfig({ hookTimeout: 60_000, testTimeout: 30_000 });

let postgres: PostgresServer;
let pool: Pool;

beforeAll(async () => {
  postgres = await PostgresServer.start();
  pool = new Pool({ connectionString: postgres.url });
  pool.on('error', () => undefined);
  await pool.query(outboxSql());
});
afterAll(async () => {
  await pool.end();
  await postgres[Symbol.asyncDispose]();
});

const connect = async (): Promise<Client & AsyncDisposable> => {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
};

/** Runs `work` in a transaction of its own. */
const transact = async <T>(work: (client: Client) => Promise<T>, end = 'COMMIT'): Promise<T> => {
  await using client = await connect();
  await client.query('BEGIN');
  const result = await work(client);
  await client.query(end);
  return result;
};

const rowsOf = async (room: string): Promise<Row[]> =>
  (
    await pool.query<Row>('SELECT * FROM fanfare.outbox WHERE room = $1 OR recipient = $1 ORDER BY id', [
      room,
    ])
  ).rows;

const created = (room: string, n = 1): OutboxEvent => ({ room, event: 'task:created', data: { n } });

describe('writing into the outbox', () => {
  it('writes what the transaction commits and nothing of one that rolls back', async () => {
    await transact((client) => writeOutbox(client, [created('project:1', 1), created('project:1', 2)]));
    await transact((client) => writeOutbox(client, created('project:1', 3)), 'ROLLBACK');
    expect((await rowsOf('project:1')).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('takes a transaction of kysely', async () => {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
    await db.transaction().execute((trx) => writeOutbox(trx, created('project:kysely')));
    const undone = db.transaction().execute(async (trx) => {
      await writeOutbox(trx, created('project:kysely', 2));
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await rowsOf('project:kysely')).toMatchObject([{ event: 'task:created', data: { n: 1 } }]);
    await sql.raw(outboxSql()).execute(db);
  });

  it('keeps every field, whatever the data is', async () => {
    const data = { text: "'; DROP TABLE x; -- \u2028 <b>", list: [null, 1.5, '\u0000', '\ud800'], '\0': 1 };
    const event: OutboxEvent = {
      ...{ room: 'project:all', event: 'task:created', id: 'order-7', namespace: '/chat' },
      ...{ except: ['auth0|5, "x"'], data },
    };
    await transact((client) => writeOutbox(client, event));
    await transact((client) => writeOutbox(client, { user: 'auth0|7', event: 'hug:sent', data: null }));
    expect(await rowsOf('project:all')).toMatchObject([
      { namespace: '/chat', event_id: 'order-7', excepted: ['auth0|5, "x"'], data },
    ]);
    expect(await rowsOf('auth0|7')).toMatchObject([{ room: null, event: 'hug:sent', data: null }]);
  });

  it.each([
    [{ ...created('Project:1') }, '"room"'],
    [{ ...created('project:1'), event: 'disconnect' }, '"event"'],
    [{ ...created('project:1'), event: 'room:reset' }, '"event"'],
    [{ ...created('project:1'), id: '' }, '"id"'],
    [{ ...created('project:1'), data: 'x'.repeat(LIMITS.eventBytes) }, '"data"'],
    [{ user: '', event: 'hug:sent', data: 1 }, '"user"'],
  ])('refuses what could not be told, and writes nothing: %o', async (event, field) => {
    const failure = await transact((client) =>
      writeOutbox(client, [created('project:refused'), event]).catch((error: unknown) => error),
    );
    expect(failure).toBeInstanceOf(PublishError);
    expect(String(failure)).toContain(`Event 2: ${field}`);
    expect(await rowsOf('project:refused')).toEqual([]);
  });

  it.each<[string, Partial<OutboxToRoom> | Partial<OutboxToUser>]>([
    ['user', { user: 'kim\0' }],
    ['room', { room: 'project:1\0' }],
    ['id', { room: 'project:1', id: 'order\0' }],
    ['id', { room: 'project:1', id: 'order\ud800' }],
    ['except.1', { room: 'project:1', except: ['kim', 'lee\0'] }],
  ])('refuses a NUL or half a character in "%s", which would end the transaction', async (field, given) => {
    // Each has a room or a user.
    const event = { event: 'task:created', data: 1, ...given } as OutboxEvent;
    const text = await transact(async (client) => {
      const failure = await writeOutbox(client, event).catch((error: unknown) => error);
      await writeOutbox(client, created('project:afterwards'));
      return String(failure);
    });
    expect(text).toMatch(`PublishError: The event: "${field}"`);
  });
});

describe('the outbox in SQL', () => {
  it('is told of in any language by a function', async () => {
    const publish = "SELECT fanfare.publish('project:sql', 'task:created', '{\"n\": 1}') AS id";
    const { rows } = await pool.query<{ id: string }>(publish);
    await pool.query("SELECT fanfare.publish_to_user('kim', 'hug:sent', to_jsonb('hi'::text))");
    expect(rows[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await rowsOf('project:sql')).toMatchObject([{ event_id: rows[0]?.id, data: { n: 1 } }]);
    expect(await rowsOf('kim')).toMatchObject([{ recipient: 'kim', data: 'hi' }]);
  });

  it.each([
    ["'lobby', 'task:created', '1'", 'outbox_room_looks_like_project_42'],
    ["'inbox:me', 'task:created', '1'", 'outbox_room_is_not_an_inbox'],
    ["'project:1', 'task created', '1'", 'outbox_event_looks_like_task_created'],
    ["'project:1', 'room:reset', '1'", 'outbox_event_is_not_one_of_the_protocol'],
    ["'project:1', 'task:created', to_jsonb(repeat('x', 65536))", 'outbox_data_has_at_most_64_kb'],
    ["'project:1', 'task:created', '1', namespace => 'chat'", 'outbox_namespace_looks_like_slash_chat'],
  ])('refuses what could not be told: %s', async (values, constraint) => {
    await expect(pool.query(`SELECT fanfare.publish(${values})`)).rejects.toThrow(constraint);
  });

  it('knows every event name of the protocol', async () => {
    const source = await readFile(new URL('../../../protocol/src/names.ts', import.meta.url), 'utf8');
    const names = [...source.matchAll(/'([\w:]+)',?$/gm)]
      .map(([, name = '']) => name)
      .filter(isProtocolEvent);
    expect(names.length).toBeGreaterThan(20);
    const insert = "INSERT INTO fanfare.outbox (room, event, data) VALUES ('project:1', $1, '1')";
    for (const name of names)
      await expect(pool.query(insert, [name]), name).rejects.toThrow('of_the_protocol');
  });

  it('may be made again, by several at once, and keeps what is there', async () => {
    const before = await pool.query('SELECT * FROM fanfare.outbox_open()');
    await Promise.all([1, 2, 3].map(() => pool.query(outboxSql())));
    expect((await pool.query('SELECT * FROM fanfare.outbox_open()')).rows).toEqual(before.rows);
  });

  it('has another instance when its numbers may start again', async () => {
    const open = async () => (await pool.query('SELECT * FROM fanfare.outbox_open()')).rows[0];
    const before = await open();
    await pool.query('TRUNCATE fanfare.outbox');
    expect(await open()).toEqual(before);
    await pool.query('ALTER SEQUENCE fanfare.outbox_id RESTART');
    expect((await open()).instance).not.toBe(before.instance);
  });
});

describe('the order of a room (G3)', () => {
  it('is the order of commits: a later transaction waits for an earlier one, and other rooms do not', async () => {
    await using first = await connect();
    await using second = await connect();
    await first.query('BEGIN');
    await writeOutbox(first, created('project:order', 1));
    const waiting = writeOutbox(second, created('project:order', 2));
    await transact((client) => writeOutbox(client, created('project:other')));
    await eventually(async () => {
      const { rows } = await pool.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      expect(rows).toHaveLength(1);
    });
    expect(await rowsOf('project:order')).toEqual([]);
    await first.query('COMMIT');
    await waiting;
    expect((await rowsOf('project:order')).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('does not let transactions over the same rooms wait in a circle', async () => {
    const rooms = ['project:a', 'project:b', 'project:c'];
    const write = (n: number) => {
      const order = n % 2 === 0 ? rooms : rooms.toReversed();
      return transact((client) =>
        writeOutbox(
          client,
          order.map((room) => created(room, n)),
        ),
      );
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => write(n)));
    expect(await rowsOf('project:b')).toHaveLength(20);
  });
});
