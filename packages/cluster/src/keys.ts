/** The channel prefix of `@socket.io/redis-adapter`, kept so that stock nodes and every emitter interoperate. */
export const SOCKET_IO_PREFIX = 'socket.io';

/** Every key and channel of ours is built here; one hash tag per multi-key script. */
export const keys = {
  /** Hash: `node/worker` → the last report as JSON. */
  nodeReports: '{fanfare:nodes}:reports',
  /** Sorted set: `node/worker` → when its lease ends, in ms of Redis's clock. */
  nodeLeases: '{fanfare:nodes}:leases',
  /** Channel on which one process hears itself through Redis. */
  probe: (incarnation: string): string => `fanfare:probe:${incarnation}`,
} as const;
