export { findBinary, NGINX, REDIS } from './binaries.ts';
export { type Emitter, eventually, nextEvent } from './eventually.ts';
export { type ByteCounts, DROPPED_REPLIES, FaultProxy, HALF_OPEN, type LinkFaults } from './fault-proxy.ts';
export type { PipeFaults } from './faulty-pipe.ts';
export {
  type Exit,
  ManagedProcess,
  type ProcessOptions,
  type ServerProcessOptions,
} from './managed-process.ts';
export { type NginxOptions, NginxServer } from './nginx-server.ts';
export { freePort, isPortFree, listenError } from './ports.ts';
export { type PostgresOptions, PostgresServer } from './postgres-server.ts';
export { RedisCluster } from './redis-cluster.ts';
export { RedisSentinel } from './redis-sentinel.ts';
export { type RedisOptions, RedisServer } from './redis-server.ts';
