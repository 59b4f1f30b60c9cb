import { readFileSync } from 'node:fs';
import type { EventMap } from '../publication.ts';
import { type OutboxEvent, type OutboxRow, toRow } from './events.ts';

export { PublishError, type PublishErrorCode } from '../error.ts';
export type { EventMap } from '../publication.ts';
export type { OutboxEvent, OutboxToRoom, OutboxToUser } from './events.ts';

/** A client of `pg` that is in a transaction. A pool is none: each of its queries may run on another connection. */
export interface PgTransaction {
  query(text: string, values: unknown[]): Promise<unknown>;
  totalCount?: never;
}

/** A transaction of kysely. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(query: {
    sql: string;
    parameters: readonly unknown[];
    query: { kind: 'RawNode'; sqlFragments: readonly string[]; parameters: readonly never[] };
    queryId: { queryId: string };
  }): Promise<unknown>;
}

/**
 * The statement that makes the schema `fanfare` with the outbox, for a migration of yours. It may run again, in a
 * transaction or not, and brings an older outbox up to date.
 */
export const outboxSql = (): string => readFileSync(new URL('../../outbox.sql', import.meta.url), 'utf8');

const INSERT = `INSERT INTO fanfare.outbox (namespace, room, recipient, event, data, event_id, excepted)
SELECT namespace, room, recipient, event, data::json, event_id, excepted FROM json_to_recordset($1::json) AS
(namespace text, room text, recipient text, event text, data text, event_id text, excepted text[])`;

/** Same order of rooms in every transaction: two that write to the same rooms do not wait for each other in a circle. */
const inOrderOfRooms = (rows: readonly OutboxRow[]): OutboxRow[] => {
  const keyOf = ({ namespace, room, recipient }: OutboxRow) => `${namespace} ${room ?? `~${recipient}`}`;
  const keyed = rows.map((row) => ({ row, key: keyOf(row) }));
  // The sort is stable: those of one room stay in their order.
  return keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ row }) => row);
};

/**
 * Writes events into the outbox, in your transaction: they are told in this order once it commits, and never if it does
 * not. Other transactions that write to the same rooms wait until it ends, so write late. Throws a `PublishError` for
 * an event that could not be told, before anything is written; what the database refuses, as it comes.
 */
export async function writeOutbox<Events extends object = EventMap>(
  transaction: PgTransaction | KyselyTransaction,
  events: OutboxEvent<Events> | readonly OutboxEvent<Events>[],
): Promise<void> {
  const all: readonly OutboxEvent[] = 'event' in events ? [events] : events;
  if (all.length === 0) return;
  const rows = all.map((event, i) => toRow(event, all.length === 1 ? 'The event' : `Event ${i + 1}`));
  const parameters = [JSON.stringify(inOrderOfRooms(rows))];
  if ('executeQuery' in transaction) {
    await transaction.executeQuery({
      sql: INSERT,
      parameters,
      query: { kind: 'RawNode', sqlFragments: [INSERT], parameters: [] },
      queryId: { queryId: 'fanfare-outbox' },
    });
  } else {
    await transaction.query(INSERT, parameters);
  }
}
