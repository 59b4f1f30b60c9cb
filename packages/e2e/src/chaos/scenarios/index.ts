import { setTimeout as lasts } from 'node:timers/promises';
import type { Scenario } from '../run.ts';
import {
  deadSubscription,
  halfOpenSubscriber,
  nginxKilled,
  nodeFrozen,
  nodesKilled,
  nodesRolled,
  slowLink,
} from './nodes.ts';
import {
  redisEmptied,
  redisFailedOver,
  redisKilled,
  redisPaused,
  redisStopped,
  repliesDropped,
  subscriptionsKilled,
} from './redis.ts';
import { interestRouting, massReturn } from './rooms.ts';
import { signalsInOutage } from './signals.ts';

/** Everything of `npm run test:chaos`, in this order. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'no fault', fault: () => lasts(5000) },
  redisKilled(0.5),
  redisKilled(3),
  redisKilled(30),
  redisStopped(10),
  redisPaused(5),
  subscriptionsKilled(20),
  halfOpenSubscriber(30),
  deadSubscription,
  slowLink(10),
  repliesDropped(10),
  nodeFrozen({ seconds: 20, megabytes: 60, retention: 'large' }),
  nodeFrozen({ seconds: 20, megabytes: 60, retention: 'small' }),
  nodesKilled(10),
  { ...nodesRolled(200), load: { clients: 2000 } },
  nginxKilled(3),
  redisEmptied,
  signalsInOutage(3),
  { name: 'no fault, redis cluster', redis: 'cluster', fault: () => lasts(5000) },
  redisFailedOver('cluster'),
  redisFailedOver('sentinel'),
  interestRouting,
  massReturn({ clients: 2000, missed: 20 }),
];
