import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import {
  Bus,
  connectRedis,
  EventLog,
  Orders,
  probeBus,
  publishAsWorker,
  publishOverRedis,
  redisWarnings,
  reportStatus,
  tellRedisWarnings,
  watchWrites,
} from '@fanfare/cluster';
import {
  createLogger,
  createOpsServer,
  createRegistry,
  listenOn,
  metricsText,
  registerReadiness,
  type Service,
} from '@fanfare/runtime';
import { AggregatorRegistry } from 'prom-client';
import type { ApiConfig } from './config.ts';
import { createApiEvents } from './events.ts';
import { createHttpApp } from './http/app.ts';
import { createDrainingServer } from './http/server.ts';
import { watchKeyFile } from './keys/key-file.ts';
import { createKeyRing } from './keys/key-ring.ts';
import { createPages } from './openapi/pages.ts';
import { createOutboxEvents } from './outbox/events.ts';
import { createOutboxRelay } from './outbox/relay.ts';
import { createRoutes } from './routes.ts';

/** Longest wait for requests under way; a publish takes a second at most, so the rest are stuck senders. */
const DRAIN_MS = 5000;

/** An api process: on its own beside a Redis, or a worker of a machine that has none. */
export interface Api extends Service {
  /** Ports in use once `listen` has resolved; a worker has no ops port of its own. */
  readonly ports: { http: number; ops: number };
}

export async function createApi(config: ApiConfig): Promise<Api> {
  await using stack = new AsyncDisposableStack();
  const isWorker = cluster.isWorker;
  let draining = false;

  const log = createLogger({ level: config.logLevel, bindings: { app: 'api', worker: config.worker } });
  for (const warning of config.warnings) log.warn({ warning }, 'unknown setting');
  const registry = createRegistry({ app: 'api', worker: config.worker });
  const events = createApiEvents(log, registry);

  const { redis: target, worker, namespaces } = config;
  const redis =
    target === undefined
      ? undefined
      : stack.use(connectRedis({ target, name: `fanfare:api:${worker}`, onChange: events.redisChanged }));
  const bus = redis && stack.use(new Bus(redis, events.bus));
  const publisher = stack.use(
    redis && bus
      ? publishOverRedis({
          link: redis,
          bus,
          log: new EventLog(redis, config.retention),
          orders: new Orders(redis, config.longestTokenMs),
        })
      : publishAsWorker(namespaces, config.longestTokenMs),
  );
  if (redis) tellRedisWarnings(redis, events.redisWarned);
  const probe =
    redis && bus && stack.use(probeBus({ link: redis, bus, incarnation: randomBytes(8).toString('hex') }));

  const writes = redis && stack.use(watchWrites(redis.pub));

  const keys = createKeyRing({ keys: config.apiKeys, perSecond: config.apiKeyPerSecond });
  if (config.apiKeysFile !== undefined) {
    stack.use(
      watchKeyFile(config.apiKeysFile, {
        changed: (changed) => {
          keys.replace(changed);
          events.keysChanged(changed.map(({ name }) => name));
        },
        broken: events.keysBroken,
      }),
    );
  }

  const { outbox } = config;
  const relay =
    outbox &&
    stack.use(
      createOutboxRelay({
        ...outbox,
        url: outbox.url.reveal(),
        namespaces,
        publisher,
        events: createOutboxEvents(log, registry),
      }),
    );

  const app = createHttpApp({
    routes: createRoutes({
      publisher,
      namespaces,
      events,
      redisWarnings: async () => (redis ? redisWarnings(redis.pub) : []),
    }),
    pages: createPages(),
    identify: keys.identify,
    events,
  });
  const server = stack.use(createDrainingServer(app));

  const notReady = () => [
    ...(draining ? ['draining'] : []),
    ...(probe && !probe.healthy ? ['redis: publish and subscribe do not both work'] : []),
    ...(writes?.refused ? ['redis: takes no writes, it may be full'] : []),
  ];
  registerReadiness(registry, notReady);
  const warnings = () => (relay?.problem === undefined ? [] : [`outbox: ${relay.problem}`]);
  const ops = isWorker
    ? undefined
    : stack.use(createOpsServer({ ...config.ops, notReady, warnings, metrics: () => metricsText(registry) }));

  const ports = { http: 0, ops: 0 };
  const owned = stack.move();
  return {
    ports,
    listen: async () => {
      ports.http = await listenOn(server.http, { ...config.http, setting: 'FANFARE_PORT' });
      relay?.start();
      ports.ops = (await ops?.listen()) ?? 0;
      if (isWorker) {
        AggregatorRegistry.setRegistries(registry);
        // Answers the primary when it gathers the metrics of its workers.
        new AggregatorRegistry();
        owned.use(reportStatus(notReady));
      }
      log.info({ port: ports.http, opsPort: ports.ops, pid: process.pid, mode: publisher.mode }, 'listening');
    },
    drain: async () => {
      draining = true;
      log.info('draining');
      await Promise.all([server.drain(Math.min(DRAIN_MS, config.shutdownMs / 2)), relay?.stop()]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
