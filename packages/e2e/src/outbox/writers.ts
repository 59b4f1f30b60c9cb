import { setTimeout as delay } from 'node:timers/promises';
import { type OutboxEvent, writeOutbox } from '@fanfare/publisher/outbox';
import { Client } from 'pg';
import type { Random } from '../chaos/random.ts';

/** What members hear; each is written once. */
export interface Told {
  writer: number;
  transaction: number;
  n: number;
}

/** One of several programs that write at the same time, each with a connection of its own. */
export interface Writer {
  /** Of every event whose transaction the database said was committed. */
  readonly committed: ReadonlySet<string>;
  /** Of every event that was rolled back on purpose. */
  readonly undone: ReadonlySet<string>;
  stop(): Promise<void>;
}

export const TOLD = 'outbox:told';
/** Of four transactions one is rolled back. */
const UNDONE = 4;
const LONGEST_PAUSE_MS = 30;

export const keyOf = ({ writer, transaction, n }: Told): string => `${writer} ${transaction} ${n}`;

const connect = async (url: string): Promise<Client | undefined> => {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  return client.connect().then(
    () => client,
    () => undefined,
  );
};

/** Writes into random rooms, a few events a transaction, until it is stopped; goes on when the database is back. */
export const startWriter = (options: {
  writer: number;
  url: string;
  rooms: readonly string[];
  random: Random;
}): Writer => {
  const { writer, url, rooms, random } = options;
  const committed = new Set<string>();
  const undone = new Set<string>();
  let isStopped = false;
  let transactions = 0;

  const transact = async (client: Client): Promise<void> => {
    transactions += 1;
    const transaction = transactions;
    const told = Array.from({ length: 1 + random.below(3) }, (_, n): Told => ({ writer, transaction, n }));
    const events = told.map((data): OutboxEvent => ({ room: random.pick(rooms), event: TOLD, data }));
    const isUndone = random.below(UNDONE) === 0;
    if (isUndone) for (const data of told) undone.add(keyOf(data));
    await client.query('BEGIN');
    await writeOutbox(client, events);
    await delay(random.below(LONGEST_PAUSE_MS));
    await client.query(isUndone ? 'ROLLBACK' : 'COMMIT');
    if (!isUndone) for (const data of told) committed.add(keyOf(data));
    await delay(random.below(LONGEST_PAUSE_MS));
  };

  const run = async (): Promise<void> => {
    while (!isStopped) {
      const client = await connect(url);
      try {
        while (client && !isStopped) await transact(client);
      } catch {
        // The database is away: whether the last transaction was committed stands in its table.
      } finally {
        await client?.end().catch(() => undefined);
      }
      await delay(50);
    }
  };
  const running = run();
  return {
    committed,
    undone,
    stop: async () => {
      isStopped = true;
      await running;
    },
  };
};
