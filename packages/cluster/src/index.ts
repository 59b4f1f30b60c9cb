export { ephemeralFlags } from './adapter/ephemeral.ts';
export { createLocalAdapter } from './adapter/local-adapter.ts';
export { type AdapterFactory, createRoomAdapter, RoomAdapter } from './adapter/room-adapter.ts';
export { Bus } from './bus/bus.ts';
export type { BusObserver } from './bus/observer.ts';
export { FollowedOrders } from './control/follow.ts';
export { type GivenOrder, givenAt, givenOrder, type Order } from './control/order.ts';
export { Orders } from './control/orders.ts';
export { Standing } from './control/standing.ts';
export {
  EventLog,
  type HistoryPage,
  type Position,
  type Retention,
  type RetentionRule,
} from './event-log/event-log.ts';
export { DEFAULT_RETENTION, retentionRules } from './event-log/retention.ts';
export type { LoggedEvent } from './event-log/wire.ts';
export type { JoinAnswer, JoinRequest, PreparedJoin } from './feed/feed.ts';
export { JoinBudget } from './feed/join-budget.ts';
export { inboxRoom, toldRoom } from './inbox.ts';
export { presenceRoom, roomToldIn } from './keys.ts';
export { type BusProbe, probeBus } from './nodes/probe.ts';
export { type ClusterReport, holdLease, listNodes, type ProcessReport } from './nodes/registry.ts';
export { UserSketch } from './nodes/user-sketch.ts';
export { watchWrites } from './nodes/writes.ts';
export { MemoryPresence } from './presence/memory-store.ts';
export { type PresenceObserver, RedisPresence } from './presence/redis-store.ts';
export {
  type Holding,
  isSameInfo,
  type Member,
  type Place,
  type PresenceChange,
  type PresencePage,
  type PresenceStore,
} from './presence/store.ts';
export {
  type ClusterPublisher,
  ORDER_REQUEST,
  type Publication,
  type Publishing,
  publishAsWorker,
  publishOverRedis,
  REPORT_REQUEST,
} from './publisher/publisher.ts';
export { connectRedis, countListeners, type RedisLink } from './redis/link.ts';
export { redisWarnings, tellRedisWarnings } from './redis/settings.ts';
export { type RedisTarget, redisCaFile, redisConflicts, redisTarget, redisUrl } from './redis/url.ts';
export {
  startWorkers,
  type WorkerDeath,
  type WorkerPool,
  type WorkerProgram,
  WorkerStartError,
} from './workers/pool.ts';
export { reportStatus, takeConnections } from './workers/worker.ts';
export { createWorkerAdapter } from './workers/worker-adapter.ts';
export { openWorkerPresence, primaryPort } from './workers/worker-presence.ts';
