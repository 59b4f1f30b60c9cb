import {
  type AdapterFactory,
  Bus,
  connectRedis,
  countListeners,
  createRoomAdapter,
  EventLog,
  FollowedOrders,
  holdLease,
  listNodes,
  Orders,
  type ProcessReport,
  probeBus,
  type RedisTarget,
  tellRedisWarnings,
} from '@fanfare/cluster';
import type { GatewayConfig } from './config.ts';
import type { GatewayEvents } from './events.ts';
import { userOf } from './socket/server.ts';

/** What a process has of Redis. */
export type RedisPart = ReturnType<typeof connectCluster>;

/** Connects to what a process needs of Redis: its connections, the bus between nodes, the rooms' logs and the adapter on top. */
export const connectCluster = (target: RedisTarget, config: GatewayConfig, events: GatewayEvents) => {
  const stack = new AsyncDisposableStack();
  const link = stack.use(
    connectRedis({ target, name: `fanfare:${config.node}:${config.worker}`, onChange: events.redisChanged }),
  );
  tellRedisWarnings(link, events.redisWarned);
  const bus = stack.use(new Bus(link, events.bus));
  const log = new EventLog(link, config.retention);
  const orders = stack.use(new FollowedOrders({ orders: new Orders(link), bus }));
  const adapter: AdapterFactory = createRoomAdapter({
    bus,
    log,
    observer: events.bus,
    node: config.node,
    livingNodes: async () => (await listNodes(link.pub)).map(({ node }) => node),
    countListeners: (channel) => countListeners(link.pub, channel),
    socketRooms: config.socketRooms,
    userOf,
    mayTell: () => orders.inStep(),
    // The client of a Redis Cluster does not tell of every move of a subscription.
    ...(link.isSharded && { positionCheckMs: 1000 }),
  });
  return { link, bus, log, orders, adapter, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

/** A process in the list of living ones. */
export interface Membership extends AsyncDisposable {
  /** Why the cluster cannot count on this process, a sentence each. */
  notReady(): string[];
}

/** Lists this process among the living ones, and looks after its ways to Redis and back. */
export const joinCluster = (
  { link, bus }: RedisPart,
  options: { incarnation: string; report: () => ProcessReport; events: GatewayEvents },
): Membership => {
  const { incarnation, report, events } = options;
  const stack = new AsyncDisposableStack();
  const probe = stack.use(probeBus({ link, bus, incarnation }));
  const lease = stack.use(
    holdLease({
      redis: link.pub,
      report,
      onSuperseded: events.superseded,
      onEmptied: () => {
        events.redisEmptied();
        bus.doubt();
      },
    }),
  );
  return {
    notReady: () => [
      ...(probe.healthy ? [] : ['redis: publish and subscribe do not both work']),
      ...(lease.refused ? ['redis: takes no writes, it may be full'] : []),
      ...(lease.superseded ? ['another process took over this node id'] : []),
    ],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};
