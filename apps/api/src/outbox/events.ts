import type { Logger } from '@fanfare/runtime';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { OutboxState, WaitingRow } from './session.ts';

/** Every business event of the relay, reported to the log and to the metrics in one call. */
export type OutboxEvents = ReturnType<typeof createOutboxEvents>;

export function createOutboxEvents(log: Logger, registry: Registry) {
  const registers = [registry];
  const told = new Counter({
    name: 'fanfare_outbox_told_total',
    help: 'Events of the outbox that were told',
    registers,
  });
  const retries = new Counter({
    name: 'fanfare_outbox_retries_total',
    help: 'Tries to tell an event of the outbox that failed, and will be made again',
    registers,
  });
  const died = new Counter({
    name: 'fanfare_outbox_dead_letters_total',
    help: 'Events of the outbox that were given up',
    registers,
  });
  const dead = new Gauge({
    name: 'fanfare_outbox_dead_letters',
    help: 'Events of the outbox that were given up and are still there',
    registers,
  });
  const lag = new Gauge({
    name: 'fanfare_outbox_lag_seconds',
    help: 'Age of the oldest event of the outbox that is not told, whoever is to tell it',
    registers,
  });
  const delay = new Histogram({
    name: 'fanfare_outbox_delay_seconds',
    help: 'From the writing of an event into the outbox, before its commit, to its telling',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
    registers,
  });
  const up = new Gauge({
    name: 'fanfare_outbox_up',
    help: '1 while the database of the outbox is connected',
    registers,
  });
  const partitions = new Gauge({
    name: 'fanfare_outbox_partitions',
    help: 'Partitions of the outbox that this process tells; those of all processes together are 16',
    registers,
  });
  return {
    opened: () => {
      up.set(1);
      log.info('outbox connected');
    },
    lost: (error: Error) => {
      up.set(0);
      partitions.set(0);
      log.warn({ reason: error.message }, 'outbox is away: nothing of it is told');
    },
    told: (rows: readonly WaitingRow[], sinceReadSeconds: number) => {
      told.inc(rows.length);
      for (const { age } of rows) delay.observe(age + sinceReadSeconds);
    },
    retried: (rows: number, reason: string) => {
      retries.inc(rows);
      log.debug({ rows, reason }, 'outbox events will be tried again');
    },
    died: ({ id, event }: WaitingRow, reason: string) => {
      died.inc();
      log.error({ id, event, reason }, 'outbox event given up');
    },
    observed: (state: OutboxState, held: number) => {
      lag.set(state.lag);
      dead.set(state.dead);
      partitions.set(held);
    },
  };
}
