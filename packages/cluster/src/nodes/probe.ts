import type { Bus } from '../bus/bus.ts';
import { keys } from '../keys.ts';
import type { Route } from '../redis/cluster-subscriptions.ts';
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

interface Watched {
  route: Route;
  askedAt: number;
  heardAt: number;
  /** When the probe that was heard last had been sent. */
  sentAt: number;
  /** From when on silence counts. */
  since: number;
  /** Whether Redis took the last probe. */
  isTaken: boolean;
}

const isHeard = ({ heardAt }: Watched): boolean => performance.now() - heardAt < DEAF_AFTER_MS;

/**
 * Publishes every second to a channel of its own on each route. A half-open subscription shows as silence and nothing
 * else, so after three seconds of it the connection of the route is torn down and made anew.
 */
export function probeBus(options: { link: RedisLink; bus: Bus; incarnation: string }): BusProbe {
  const { link, bus } = options;
  const watched = new Map<string, Watched>();
  const isHealthy = () => link.up && watched.size > 0 && [...watched.values()].every(isHeard);
  const watch = (route: Route, heardAt: number) => {
    const now = performance.now();
    const one: Watched = { route, askedAt: 0, heardAt, sentAt: now, since: now, isTaken: true };
    watched.set(route.channel, one);
    void bus.listen(route.channel, (sentAt) => {
      one.heardAt = performance.now();
      one.sentAt = Number(sentAt.toString());
      bus.proveHeard(Math.min(...[...watched.values()].map((each) => each.sentAt)));
    });
  };
  /** Follows a cluster that changes; a master that joins a healthy one is given time. */
  const follow = () => {
    const routes = new Map(link.routes(keys.probe(options.incarnation)).map((one) => [one.channel, one]));
    const heardAt = isHealthy() ? performance.now() : Number.NEGATIVE_INFINITY;
    for (const [channel, route] of routes) {
      const known = watched.get(channel);
      if (known === undefined) watch(route, heardAt);
      else known.route = route;
    }
    for (const channel of watched.keys()) {
      if (routes.has(channel)) continue;
      watched.delete(channel);
      bus.unlisten(channel);
    }
  };
  const ask = (one: Watched) => {
    const now = performance.now();
    if (isHeard(one) && now - one.askedAt < PROBE_MS - UNHEARD_PROBE_MS) return;
    if (link.up && now - Math.max(one.heardAt, one.since) > DEAF_AFTER_MS) {
      one.since = now;
      one.route.reconnect(one.isTaken);
    }
    one.askedAt = now;
    one.route.publish(String(now)).then(
      () => {
        one.isTaken = true;
      },
      () => {
        one.isTaken = false;
      },
    );
  };
  let timer: NodeJS.Timeout | undefined;
  const probe = () => {
    timer = setTimeout(probe, isHealthy() ? PROBE_MS : UNHEARD_PROBE_MS);
    for (const one of watched.values()) ask(one);
  };

  follow();
  bus.onChange({
    interrupted: () => undefined,
    restored: () => {
      follow();
      const now = performance.now();
      // On a cluster another connection may break again and again: silence counts nevertheless.
      for (const one of watched.values()) {
        if (!link.isSharded || now - one.since > 2 * DEAF_AFTER_MS) one.since = now;
      }
    },
  });
  probe();

  return {
    get healthy() {
      return isHealthy();
    },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      for (const channel of watched.keys()) bus.unlisten(channel);
    },
  };
}
