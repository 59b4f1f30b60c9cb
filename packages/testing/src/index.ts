export { type Emitter, eventually, nextEvent } from './eventually.ts';
export {
  type ByteCounts,
  DROPPED_REPLIES,
  FaultProxy,
  HALF_OPEN,
  type LinkFaults,
} from './faults/fault-proxy.ts';
export type { PipeFaults } from './faults/faulty-pipe.ts';
export { type NginxOptions, NginxServer } from './nginx-server.ts';
export { type PostgresOptions, PostgresServer } from './postgres/postgres-server.ts';
export { findBinary, NGINX, REDIS } from './process/binaries.ts';
export {
  type Exit,
  ManagedProcess,
  type ProcessOptions,
  type ServerProcessOptions,
} from './process/managed-process.ts';
export { freePort, isPortFree, listenError } from './process/ports.ts';
export { RedisCluster } from './redis/redis-cluster.ts';
export { RedisSentinel } from './redis/redis-sentinel.ts';
export { type RedisOptions, RedisServer } from './redis/redis-server.ts';
