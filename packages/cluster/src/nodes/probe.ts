import { keys } from '../keys.ts';
import type { RedisLink } from '../redis.ts';

const PROBE_MS = 1000;
/** Silence after which the bus counts as broken: three probes lost. */
const DEAF_AFTER_MS = 3000;

/** Whether a process hears itself through Redis: the only proof that publish and subscribe both work. */
export interface BusProbe extends AsyncDisposable {
  readonly healthy: boolean;
}

/** Publishes to the process's own channel every second; a half-open subscription shows as silence. */
export function probeBus(link: RedisLink, incarnation: string): BusProbe {
  const channel = keys.probe(incarnation);
  let heardAt = Number.NEGATIVE_INFINITY;
  const hear = (from: string) => {
    if (from === channel) heardAt = performance.now();
  };
  const probe = () => void link.pub.publish(channel, '').catch(() => undefined);

  link.sub.on('message', hear);
  link.sub.subscribe(channel).then(probe, () => undefined);
  // The subscription is repeated after a reconnect; the next answer then comes without waiting for the interval.
  for (const client of [link.pub, link.sub]) client.on('ready', probe);
  const timer = setInterval(probe, PROBE_MS);

  return {
    get healthy() {
      return link.up && performance.now() - heardAt < DEAF_AFTER_MS;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      link.sub.off('message', hear);
      for (const client of [link.pub, link.sub]) client.off('ready', probe);
      // Not awaited: with Redis away it would wait for its return.
      link.sub.unsubscribe(channel).catch(() => undefined);
    },
  };
}
