import { type AdapterFactory, createLocalAdapter, createWorkerAdapter } from '@fanfare/cluster';
import { fanout } from '@fanfare/fanout';
import type { GatewayConfig } from '../config.ts';
import type { GatewayEvents } from '../events.ts';
import type { GatewaySocket } from '../socket/server.ts';
import { abandon } from './abandon.ts';

/** Why a connection is closed whose client does not take what it is sent. */
const SLOW_CONSUMER = 'slow_consumer';

/** The cluster's over Redis, the primary's channel between workers without it, else this process is the cluster. */
export const deliveryOf = (
  shared: AdapterFactory | undefined,
  isWorker: boolean,
  { config, events }: { config: GatewayConfig; events: GatewayEvents },
): { adapter: AdapterFactory; watch: (socket: GatewaySocket) => void } => {
  const adapter = shared ?? (isWorker ? createWorkerAdapter() : createLocalAdapter());
  if (!config.fanout) return { adapter, watch: () => undefined };
  const onExceeded = (connection: object, pendingBytes: number): void => {
    events.slowConsumer(pendingBytes);
    abandon(connection, SLOW_CONSUMER);
  };
  const fast = fanout(adapter, { backlog: { maxBytes: config.engine.maxPendingBytes, onExceeded } });
  events.deliveriesFrom(fast);
  return { adapter: fast, watch: fast.watch };
};
