import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Tables } from './tables.ts';

export type Database = Kysely<Tables>;
export type Trx = Transaction<Tables>;

/** Longest wait for a connection and for a statement, in ms: a request is answered either way. */
const CONNECT_TIMEOUT_MS = 3000;
const STATEMENT_TIMEOUT_MS = 10_000;

/** A pool of connections. One that breaks is replaced by the next request; the state of the database is logged. */
export const openDatabase = (url: string, log: Logger): Database => {
  const pool = new Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'board',
  });
  pool.on('error', (error) => log.warn({ err: error }, 'database connection lost'));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
};

/** What keeps the database from answering within `timeoutMs`; undefined while it does. */
export const databaseProblem = async (db: Database, timeoutMs: number): Promise<string | undefined> => {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve('database: no answer'), timeoutMs);
  try {
    const asked = sql`select 1`.execute(db).then(
      () => undefined,
      (error: unknown) => `database: ${error instanceof Error ? error.message : String(error)}`,
    );
    return await Promise.race([asked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
};
