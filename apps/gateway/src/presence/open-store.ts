import {
  type Bus,
  MemoryPresence,
  openWorkerPresence,
  type PresenceObserver,
  type PresenceStore,
  primaryPort,
  type RedisLink,
  RedisPresence,
} from '@fanfare/cluster';
import type { GatewayConfig } from '../config.ts';

/** Presence of the cluster, of the workers of a machine without Redis, or of this process where it is alone. */
export function openPresenceStore(
  redis: { link: RedisLink; bus: Bus } | undefined,
  options: Pick<GatewayConfig, 'node' | 'worker' | 'presence'> & {
    incarnation: string;
    observe: PresenceObserver;
  },
): PresenceStore {
  const { node, worker, incarnation, presence, observe } = options;
  const primary = primaryPort();
  if (redis !== undefined && presence !== undefined)
    return new RedisPresence({ ...redis, ...presence, process: { node, worker, incarnation }, observe });
  return primary === undefined || presence === undefined
    ? new MemoryPresence().open()
    : openWorkerPresence(primary, presence);
}
