import type { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import type { RedisLink } from '../redis/link.ts';

const PROBE_MS = 1000;
/** Time between probes until one comes back: commands and subscriptions return on connections of their own. */
const UNHEARD_PROBE_MS = 100;
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
  const isHealthy = () => link.up && performance.now() - heardAt < DEAF_AFTER_MS;
  let timer: NodeJS.Timeout | undefined;
  const probe = () => {
    timer = setTimeout(probe, isHealthy() ? PROBE_MS : UNHEARD_PROBE_MS);
    const silence = performance.now() - Math.max(heardAt, connectedAt);
    if (link.up && silence > DEAF_AFTER_MS) {
      connectedAt = performance.now();
      link.reconnect();
    }
    link.publish(channel, String(performance.now())).catch(() => undefined);
  };

  void bus.listen(channel, (sentAt) => {
    heardAt = performance.now();
    bus.proveHeard(Number(sentAt.toString()));
  });
  bus.onChange({
    interrupted: () => undefined,
    restored: () => {
      connectedAt = performance.now();
    },
  });
  probe();

  return {
    get healthy() {
      return isHealthy();
    },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      bus.unlisten(channel);
    },
  };
}
