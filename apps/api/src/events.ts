import type { BusObserver } from '@fanfare/cluster';
import type { AppError, ErrorCode } from '@fanfare/protocol';
import { createSummary, type Logger } from '@fanfare/runtime';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Every business event of an api process, reported to the log and to the metrics in one call. */
export type ApiEvents = ReturnType<typeof createApiEvents>;

/** How a request ended: `accepted`, or the code that the caller was told. */
export type Outcome = 'accepted' | ErrorCode;

const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** How a request to publish was answered. */
interface Answered {
  outcome: Outcome;
  publisher: string | undefined;
  seconds: number;
}

export function createApiEvents(log: Logger, registry: Registry) {
  const registers = [registry];
  const publishes = new Counter({
    name: 'fanfare_publish_total',
    help: 'Publishes, by outcome: accepted, or a code of the error table; each command of a batch counts',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'fanfare_publish_duration_seconds',
    help: 'Time to answer a publish request',
    buckets: DURATION_BUCKETS,
    registers,
  });
  const batchDuration = new Histogram({
    name: 'fanfare_batch_duration_seconds',
    help: 'Time to answer a batch',
    buckets: DURATION_BUCKETS,
    registers,
  });
  const requests = new Counter({
    name: 'fanfare_api_requests_total',
    help: 'Requests that need an API key, by the name of the key ("" when none was valid) and by outcome',
    labelNames: ['key', 'outcome'],
    registers,
  });
  const dropped = new Counter({
    name: 'fanfare_bus_publish_dropped_total',
    help: 'Ephemeral messages that Redis did not take',
    registers,
  });
  const invalid = new Counter({
    name: 'fanfare_bus_invalid_messages_total',
    help: 'Messages on Redis channels of this process that were ignored',
    registers,
  });
  // Absent where there is no Redis by design, so that an alert on it does not fire there.
  let redisUp: Gauge | undefined;
  // A series that begins with its first event has no rate for it: an alert would miss that one.
  for (const outcome of ['accepted', 'unavailable', 'internal']) publishes.inc({ outcome }, 0);
  requests.inc({ key: '', outcome: 'api_key_invalid' }, 0);

  const sumUpInvalid = createSummary((_, times) => {
    log.warn({ times }, 'invalid bus messages ignored: their channels are told at the level debug');
  });

  // A process without sockets asks no cluster queries and has no rooms to reset.
  const bus: BusObserver = {
    publishDropped: (error) => {
      dropped.inc();
      log.debug({ err: error }, 'bus publish dropped');
    },
    invalidMessage: (channel) => {
      invalid.inc();
      log.debug({ channel }, 'invalid bus message ignored');
      sumUpInvalid('message');
    },
    missed: () => undefined,
    partialAnswer: () => undefined,
    roomReset: () => undefined,
  };

  return {
    bus,
    published: (fields: Answered) => {
      publishes.inc({ outcome: fields.outcome });
      duration.observe(fields.seconds);
      log.debug(fields, 'publish answered');
    },
    batchAnswered: (fields: Answered) => {
      batchDuration.observe(fields.seconds);
      log.debug(fields, 'batch answered');
    },
    /** How the commands of a batch ended. */
    commandsSettled: (outcomes: readonly Outcome[]) => {
      for (const [outcome, same] of Map.groupBy(outcomes, (one) => one))
        publishes.inc({ outcome }, same.length);
    },
    requested: (key: string, outcome: Outcome) => requests.inc({ key, outcome }),
    keysChanged: (names: readonly string[]) => log.info({ names }, 'api keys read anew'),
    keysBroken: (problems: readonly string[]) =>
      log.error({ problems }, 'the file of api keys is broken: the keys before it stay valid'),
    redisWarned: (warning: string) => log.warn({ warning }, 'redis settings'),
    /** A failure that a caller was told of; only what is our own fault is logged with its cause. */
    failed: (error: AppError, fields: { method: string; path: string }) => {
      if (error.code === 'internal') log.error({ ...fields, err: error.cause ?? error }, 'request failed');
      else log.debug({ ...fields, code: error.code, detail: error.message }, 'request refused');
    },
    redisChanged: (up: boolean, reason?: string) => {
      redisUp ??= new Gauge({ name: 'fanfare_redis_up', help: '1 while Redis is connected', registers });
      redisUp.set(up ? 1 : 0);
      if (up) log.info('redis connected');
      else log.warn({ reason }, 'redis is away: publishes are refused');
    },
  };
}
