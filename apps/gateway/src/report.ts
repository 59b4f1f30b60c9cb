import type { ProcessReport } from '@fanfare/cluster';
import type { GatewayConfig } from './config.ts';
import type { GatewayEvents } from './events.ts';
import type { UsersOnline } from './users/online.ts';

const VERSION = '0.1.0';

/** What this process says of itself; rates are means since the last report. */
export const createReporter = (deps: {
  config: GatewayConfig;
  incarnation: string;
  events: GatewayEvents;
  online: UsersOnline;
}): (() => ProcessReport) => {
  const { config, incarnation, events, online } = deps;
  const startedAt = Date.now();
  let last = { at: startedAt, received: 0, sent: 0 };
  let rates = { receivedPerSecond: 0, sentPerSecond: 0 };
  return () => {
    const { connections, received, sent } = events.totals;
    const now = Date.now();
    const seconds = (now - last.at) / 1000;
    if (seconds >= 1) {
      rates = {
        receivedPerSecond: (received - last.received) / seconds,
        sentPerSecond: (sent - last.sent) / seconds,
      };
      last = { at: now, received, sent };
    }
    return {
      node: config.node,
      worker: config.worker,
      incarnation,
      version: VERSION,
      startedAt,
      connections,
      users: online.count,
      online: `${online.sketch}`,
      ...rates,
    };
  };
};
