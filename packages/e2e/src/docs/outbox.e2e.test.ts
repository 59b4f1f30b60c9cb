import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { outboxSql } from '@fanfare/publisher/outbox';
import { eventually, ManagedProcess, PostgresServer, RedisServer } from '@fanfare/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runApp } from '../cluster/app-process.ts';
import { ROOT } from './documents.ts';
import { fenceWith } from './markdown.ts';

const stack = new AsyncDisposableStack();
let document: string;
let postgres: PostgresServer;
let owner: Client;
let backend: Client;

const connect = async (user?: string): Promise<Client> => {
  const url = new URL(postgres.url);
  if (user !== undefined) url.username = url.password = user;
  const client = new Client(url.href);
  await client.connect();
  return stack.adopt(client, (open) => open.end());
};

const snippet = (language: string, text: string): string => fenceWith(document, language, text);

beforeAll(async () => {
  document = await readFile(join(ROOT, 'docs/outbox.md'), 'utf8');
  postgres = stack.use(await PostgresServer.start());
  owner = await connect();
  await owner.query(outboxSql());
  await owner.query(`CREATE TABLE tasks (id serial, project int, title text);
    CREATE ROLE backend LOGIN PASSWORD 'backend'; CREATE ROLE relay LOGIN PASSWORD 'relay';
    GRANT INSERT, SELECT ON tasks TO backend; GRANT USAGE ON SEQUENCE tasks_id_seq TO backend`);
  await owner.query(snippet('sql', 'GRANT'));
  backend = await connect('backend');
});
afterAll(() => stack.disposeAsync());

const written = async () => {
  const { rows } = await owner.query(
    'SELECT coalesce(room, recipient) AS "to", event, data FROM fanfare.outbox ORDER BY id',
  );
  await owner.query('DELETE FROM fanfare.outbox');
  return rows;
};

test('docs/outbox.md: its SQL writes an event for a room and one for a user, with the rights that it gives', async () => {
  await backend.query(snippet('sql', 'BEGIN;'));
  expect(await written()).toEqual([
    { to: 'project:42', event: 'task:created', data: { title: 'Paint the fence' } },
    { to: 'kim', event: 'task:assigned', data: { project: 42 } },
  ]);
});

test('docs/outbox.md: its TypeScript writes the task and the event', async () => {
  const program = `import { Kysely, PostgresDialect } from 'kysely';
    import { Pool } from 'pg';
    const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: process.env.URL }) }) });
    const values = { project: 42, title: 'Mow the lawn' };
    ${snippet('ts', 'writeOutbox')}
    await db.destroy();`;
  await using node = await ManagedProcess.start({
    command: execPath,
    args: ['--conditions=source', '--input-type=module-typescript', '--eval', program],
    cwd: join(ROOT, 'apps/board'),
    env: { URL: postgres.url.replace(/\/\/[^@]+@/, '//backend:backend@') },
  });
  expect({ ...(await node.exited), output: node.output }).toEqual({ code: 0, signal: null, output: '' });
  const { rows } = await owner.query("SELECT * FROM tasks WHERE title = 'Mow the lawn'");
  expect(await written()).toEqual([{ to: 'project:42', event: 'task:created', data: rows[0] }]);
});

test('docs/outbox.md: the statements of its Python do what they say', async () => {
  const statements = [...snippet('python', 'psycopg').matchAll(/"((?:INSERT|SELECT) [^"]+)"/g)];
  const given = [
    [42, 'Sweep'],
    ['project:42', 'task:created', { title: 'Sweep' }],
  ];
  expect(statements).toHaveLength(given.length);
  await backend.query('BEGIN');
  for (const [i, [, statement = '']] of statements.entries()) {
    let number = 0;
    const text = statement.replace(/%s/g, () => {
      number += 1;
      return `$${number}`;
    });
    await backend.query(text, given[i]);
  }
  await backend.query('COMMIT');
  expect(await written()).toEqual([{ to: 'project:42', event: 'task:created', data: { title: 'Sweep' } }]);
});

test('docs/outbox.md: an api tells it with the rights of its relay, and what is to be run by hand runs', async () => {
  await backend.query(snippet('sql', 'BEGIN;'));
  await using redis = await RedisServer.start();
  await using _api = await runApp('api', {
    REDIS_URL: redis.url,
    FANFARE_OUTBOX_DATABASE_URL: postgres.url.replace(/\/\/[^@]+@/, '//relay:relay@'),
  });
  const untold = async () =>
    (await owner.query('SELECT event FROM fanfare.outbox WHERE told_at IS NULL')).rows;
  const slow = { timeoutMs: 15_000 };
  await eventually(async () => expect(await untold()).toEqual([]), slow);
  expect(await written()).toHaveLength(2);

  const byHand = [...document.matchAll(/`((?:SELECT fanfare\.|ALTER TABLE )[^`]+)`/g)];
  expect(byHand.length).toBeGreaterThanOrEqual(3);
  for (const [, statement = ''] of byHand) await owner.query(statement);
  // Nobody is woken any more: the relay looks by itself.
  await backend.query(snippet('sql', 'BEGIN;'));
  await eventually(async () => expect(await untold()).toEqual([]), slow);
  expect(await written()).toHaveLength(2);
});
