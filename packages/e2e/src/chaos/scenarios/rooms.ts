import { setTimeout as lasts } from 'node:timers/promises';
import { scrape, total } from '../../cluster/metrics.ts';
import type { Chaos, Scenario } from '../run.ts';

const QUIET_MS = 5000;

/** Bytes from Redis to nodes in a while. */
const bytesIn = async (
  { cluster }: Chaos,
  nodes: readonly ('n1' | 'n2' | 'n3')[],
  run: () => Promise<void>,
) => {
  const count = () => nodes.reduce((sum, node) => sum + cluster.proxies[node].bytes.toClient, 0);
  const before = count();
  await run();
  return count() - before;
};

/** 1,000 rooms live on one node: the links of the others carry nothing of them. */
export const interestRouting: Scenario = {
  name: 'rooms of one node',
  load: { clients: 20, rooms: 1000, roomsPerClient: 50, eventsPerSecond: 200, payloadBytes: 4000 },
  at: 'n1',
  publishes: false,
  fault: async (chaos) => {
    const { publishers, note, check } = chaos;
    const others = ['n2', 'n3'] as const;
    const idle = await bytesIn(chaos, others, () => lasts(QUIET_MS));
    note('idle run over');
    let own = 0;
    const busy = await bytesIn(chaos, others, async () => {
      own = await bytesIn(chaos, ['n1'], async () => {
        publishers.start();
        await lasts(QUIET_MS);
        await publishers.stop();
      });
    });
    const { accepted } = publishers.counts;
    note(`${accepted} events published`);
    check({ name: 'bytes to the node of the rooms', value: own, atLeast: accepted * 4000 });
    check({ name: 'bytes to the two others, idle', value: idle });
    // A heartbeat more or less falls into a run; one event would be 4000 bytes on each.
    check({ name: 'bytes to the two others, more than idle', value: busy - idle, atMost: 1000 });
  },
};

/** Commands that Redis has carried out, without those that the question itself costs. */
const commandsOf = ({ cluster }: Chaos): Promise<number> =>
  cluster.askRedis(async (redis) => {
    const lines = (await redis.info('commandstats')).matchAll(/^cmdstat_([\w|]+):calls=(\d+)/gm);
    // Commands of scripts are counted with their script; what they call runs inside of Redis.
    const own = new Set(['evalsha', 'eval', 'subscribe', 'unsubscribe', 'publish']);
    return [...lines].reduce((sum, [, name, calls]) => sum + (own.has(name ?? '') ? Number(calls) : 0), 0);
  });

/** Everybody comes back at once after missing something in every room. */
export const massReturn = (options: { clients: number; missed: number }): Scenario => ({
  name: `${options.clients} clients return at once`,
  load: { clients: options.clients, rooms: 200, roomsPerClient: 20 },
  publishes: false,
  fault: async (chaos) => {
    const { cluster, members, publishers, rooms, note, check, timeUntilWhole } = chaos;
    for (const room of rooms) await publishers.publish(room);
    await timeUntilWhole();
    for (const member of members) member.goAway();
    note('everybody away');
    const todo = Array.from({ length: options.missed }, () => rooms).flat();
    const lane = async () => {
      for (let room = todo.pop(); room !== undefined; room = todo.pop()) await publishers.publish(room);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    note(`${options.missed} events in each room`);
    await Promise.all(cluster.stack.nodes.map(({ opsUrl }) => scrape(opsUrl)));
    const before = await commandsOf(chaos);
    for (const member of members) member.comeBack();
    note('everybody returns');
    check({ name: 'all whole after, ms', value: await timeUntilWhole(), atMost: 30_000 });
    const commands = (await commandsOf(chaos)) - before;
    check({ name: 'Redis commands per client', value: commands / members.length, atMost: 3 });
    for (const { id, opsUrl } of cluster.stack.nodes) {
      const lag = total(await scrape(opsUrl), 'nodejs_eventloop_lag_p99_seconds') * 1000;
      check({ name: `event loop lag of ${id}, p99, ms`, value: Math.round(lag), atMost: 100 });
    }
  },
});
