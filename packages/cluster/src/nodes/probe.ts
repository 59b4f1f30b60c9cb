import type { Bus } from '../bus.ts';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis.ts';

const PROBE_MS = 1000;
/** Silence after which the bus counts as broken: three probes lost. */
const DEAF_AFTER_MS = 3000;

/** Whether a process hears itself through Redis: the only proof that publish and subscribe both work. */
export interface BusProbe extends AsyncDisposable {
  readonly healthy: boolean;
}

/**
 * Publishes to the process's own channel every second. A half-open subscription shows as silence and nothing else, so
 * after three seconds of it the subscriber's connection is torn down and made anew.
 */
export function probeBus(options: { link: RedisLink; bus: Bus; incarnation: string }): BusProbe {
  const { link, bus } = options;
  const channel = keys.probe(options.incarnation);
  let heardAt = Number.NEGATIVE_INFINITY;
  let connectedAt = performance.now();
  const probe = () => {
    const silence = performance.now() - Math.max(heardAt, connectedAt);
    if (link.up && silence > DEAF_AFTER_MS) {
      connectedAt = performance.now();
      link.reconnect();
    }
    link.publish(channel, '').catch(() => undefined);
  };
  // After a reconnect the next answer comes without waiting for the interval.
  const onRestored = () => {
    connectedAt = performance.now();
    probe();
  };

  bus
    .listen(channel, () => {
      heardAt = performance.now();
    })
    .then(probe);
  bus.onChange({ interrupted: () => undefined, restored: onRestored });
  const timer = setInterval(probe, PROBE_MS);

  return {
    get healthy() {
      return link.up && performance.now() - heardAt < DEAF_AFTER_MS;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      bus.unlisten(channel);
    },
  };
}
