export { createLocalAdapter } from './adapter/local-adapter.ts';
export { type AdapterFactory, type BusObserver, createRedisAdapter } from './adapter/redis-adapter.ts';
export { type BusProbe, probeBus } from './nodes/probe.ts';
export { holdLease, listNodes } from './nodes/registry.ts';
export {
  type ClusterPublisher,
  type Publication,
  publishAsWorker,
  publishOverRedis,
  REPORT_REQUEST,
} from './publisher.ts';
export { connectRedis, type RedisLink } from './redis.ts';
export {
  startWorkers,
  type WorkerDeath,
  type WorkerPool,
  type WorkerProgram,
  WorkerStartError,
} from './workers/pool.ts';
export { createWorkerAdapter, reportStatus, takeConnections } from './workers/worker.ts';
