import { setTimeout as lasts } from 'node:timers/promises';
import { eventually, HALF_OPEN } from '@fanfare/testing';
import type { Member } from '../member.ts';
import type { Chaos, Scenario } from '../run.ts';

const nodeOf = ({ cluster }: Chaos, id: string) => {
  const node = cluster.stack.nodes.find((one) => one.id === id);
  if (node === undefined) throw new RangeError(`no node ${id}`);
  return node;
};

const membersOn = ({ members }: Chaos, node: string): Member[] =>
  members.filter((member) => member.node === node);

/** How long it takes until a node says that it is ready, or that it is not, in ms. */
const timeUntilReady = async (opsUrl: string, ready: boolean): Promise<number> => {
  const from = performance.now();
  const assert = async () => {
    const { ok } = await fetch(`${opsUrl}/readyz`);
    if (ok !== ready) throw new Error(`/readyz is ${ok}`);
  };
  await eventually(assert, { timeoutMs: 30_000 });
  return Math.round(performance.now() - from);
};

/** The subscriber's link of one node is silent both ways, and every new one too, while all others work. */
export const halfOpenSubscriber = (seconds: number): Scenario => ({
  name: `half-open subscriber for ${seconds} s`,
  untouched: ['n2', 'n3'],
  fault: async (chaos) => {
    const { cluster, note, check, timeUntilWhole } = chaos;
    const { opsUrl } = nodeOf(chaos, 'n1');
    const victims = membersOn(chaos, 'n1');
    check({ name: 'members on the deaf node', value: victims.length, atLeast: 1 });
    cluster.proxies.n1.set({ ...HALF_OPEN, only: (opening) => opening.includes(':sub\r\n') });
    note('n1 hears nothing');
    const until = performance.now() + seconds * 1000;
    const unreadyMs = await timeUntilReady(opsUrl, false);
    check({ name: 'deaf node unready after, ms', value: unreadyMs, atMost: 6000 });
    await lasts(until - performance.now());
    for (const id of ['n2', 'n3']) {
      const { ok } = await fetch(`${nodeOf(chaos, id).opsUrl}/readyz`);
      check({ name: `${id} is ready meanwhile`, value: Number(ok), exactly: 1 });
    }
    cluster.proxies.n1.heal();
    note('n1 healed');
    check({ name: 'deaf node whole after healing, ms', value: await timeUntilWhole(victims), atMost: 2000 });
    check({ name: 'deaf node ready after healing, ms', value: await timeUntilReady(opsUrl, true) });
  },
});

const SLOW = { latencyMs: 50, jitterMs: 50, bytesPerSecond: 1_000_000 };

/** One node reaches Redis through a bad line; its own members wait, and nobody else does. */
export const slowLink = (seconds: number): Scenario => ({
  name: `slow link to redis for ${seconds} s`,
  untouched: ['n2', 'n3'],
  fault: async (chaos) => {
    const { cluster, note, check } = chaos;
    check({
      name: 'members on the node with the slow link',
      value: membersOn(chaos, 'n1').length,
      atLeast: 1,
    });
    cluster.proxies.n1.set({ toServer: SLOW, toClient: SLOW });
    note('the link of n1 is slow');
    await lasts(seconds * 1000);
    const { ok } = await fetch(`${nodeOf(chaos, 'n1').opsUrl}/readyz`);
    check({ name: 'n1 is ready all the same', value: Number(ok), exactly: 1 });
    cluster.proxies.n1.heal();
  },
});

/** Only the connection of the moment is dead: the node has to find out and make a new one by itself. */
export const deadSubscription: Scenario = {
  name: 'one dead subscription',
  untouched: ['n2', 'n3'],
  fault: async (chaos) => {
    const { cluster, note, check, timeUntilWhole } = chaos;
    const { opsUrl } = nodeOf(chaos, 'n1');
    const dead = new Set(cluster.proxies.n1.connections.map(({ id }) => id));
    cluster.proxies.n1.set({
      ...HALF_OPEN,
      only: (opening, id) => dead.has(id) && opening.includes(':sub\r\n'),
    });
    note('the subscription of n1 is dead');
    check({ name: 'deaf node unready after, ms', value: await timeUntilReady(opsUrl, false), atMost: 6000 });
    check({
      name: 'deaf node ready by itself after, ms',
      value: await timeUntilReady(opsUrl, true),
      atMost: 6000,
    });
    check({
      name: 'whole after that, ms',
      value: await timeUntilWhole(membersOn(chaos, 'n1')),
      atMost: 2000,
    });
  },
};

const MEGABYTE = 1_000_000;
const LARGE_BYTES = 60_000;

/** One node stands still while more is published than Redis keeps for a slow subscriber. */
export const nodeFrozen = (options: {
  seconds: number;
  megabytes: number;
  retention: 'large' | 'small';
}): Scenario => {
  const { seconds, megabytes, retention } = options;
  return {
    name: `node frozen for ${seconds} s under ${megabytes} MB, ${retention} retention`,
    env: { FANFARE_RETENTION: retention === 'large' ? '**=5000/200mb/1h' : '**=1000/1mb/1h' },
    load: { clients: 30, rooms: 10, roomsPerClient: 1, eventsPerSecond: 20 },
    resets: retention === 'large' ? 'none' : 'some',
    fault: async (chaos) => {
      const { cluster, publishers, rooms, note, check, timeUntilWhole } = chaos;
      // What a stock Redis keeps for a subscriber that does not read.
      await cluster.askRedis((redis) =>
        redis.config('SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60'),
      );
      const victims = membersOn(chaos, 'n1');
      check({ name: 'members on the frozen node', value: victims.length, atLeast: 1 });
      const node = nodeOf(chaos, 'n1');
      node.process.kill('SIGSTOP');
      note('n1 frozen');
      const until = performance.now() + seconds * 1000;
      let left = Math.ceil((megabytes * MEGABYTE) / LARGE_BYTES);
      const lane = async () => {
        while (left > 0) await publishers.publish(rooms[left-- % rooms.length] ?? '', { bytes: LARGE_BYTES });
      };
      await Promise.all(Array.from({ length: 4 }, lane));
      note(`${megabytes} MB published`);
      check({ name: 'published while frozen, ms', value: performance.now() - until + seconds * 1000 });
      await lasts(Math.max(0, until - performance.now()));
      node.process.kill('SIGCONT');
      note('n1 goes on');
      check({ name: 'frozen node whole after, ms', value: await timeUntilWhole(victims) });
      if (retention === 'large') return;
      const untold = victims.filter((member) =>
        [...member.tracks.values()].some(({ resets }) => resets === 0),
      );
      check({ name: 'members of the frozen node not told of a reset', value: untold.length, exactly: 0 });
      const others = chaos.members.filter((member) => !victims.includes(member));
      const told = others.filter((member) => [...member.tracks.values()].some(({ resets }) => resets > 0));
      check({ name: 'other members told of a reset', value: told.length, exactly: 0 });
    },
  };
};

/** Nodes die one after the other, whichever, and come back. */
export const nodesKilled = (times: number): Scenario => ({
  name: `a node killed ${times} times`,
  fault: async (chaos) => {
    const { cluster, random, note, check, timeUntilWhole } = chaos;
    for (let i = 0; i < times; i++) {
      const { id, process } = random.pick(cluster.stack.nodes);
      process.kill('SIGKILL');
      await process.exited;
      note(`${id} killed`);
      await lasts(random.below(1500));
      await cluster.restartNode(id);
    }
    check({ name: 'whole after the last death, ms', value: await timeUntilWhole(), atMost: 10_000 });
  },
});

/** The most members that connected within any one second since a moment. */
const mostConnectsPerSecond = (members: readonly Member[], since: number): number => {
  const times = members
    .flatMap(({ connectedAt }) => connectedAt.filter((at) => at > since))
    .sort((a, b) => a - b);
  let [most, from] = [0, 0];
  for (const [to, at] of times.entries()) {
    while ((times[from] ?? at) <= at - 1000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
};

/** Every node is replaced, one after the other, as a deployment does it. */
export const nodesRolled = (perSecond: number): Scenario => ({
  name: `every node rolled at ${perSecond} connections a second`,
  env: { FANFARE_DRAIN_PER_SECOND: String(perSecond) },
  fault: async (chaos) => {
    const { cluster, members, note, check, timeUntilWhole } = chaos;
    const since = performance.now();
    for (const { id } of [...cluster.stack.nodes]) {
      const { process } = nodeOf(chaos, id);
      note(`${id} drains ${membersOn(chaos, id).length} members`);
      process.kill('SIGTERM');
      const { code } = await process.exited;
      check({ name: `exit code of ${id}`, value: code ?? -1, exactly: 0 });
      await cluster.restartNode(id);
      check({ name: `whole after ${id} was replaced, ms`, value: await timeUntilWhole(), atMost: 10_000 });
    }
    // Counted where they are closed: a client's clock shows its own delays.
    check({ name: 'drains', value: cluster.drains.length, exactly: cluster.stack.nodes.length });
    const most = Math.max(...cluster.drains);
    check({ name: 'most connections closed in a second', value: most, atMost: perSecond * 1.2 });
    check({
      name: 'most reconnects in a second, as clients see it',
      value: mostConnectsPerSecond(members, since),
    });
  },
});

/** The one public port is gone, with every connection through it. */
export const nginxKilled = (seconds: number): Scenario => ({
  name: `nginx killed for ${seconds} s`,
  fault: async ({ cluster, note, check, timeUntilWhole }) => {
    const { nginx } = cluster.stack;
    nginx.kill('SIGKILL');
    await nginx.process.exited;
    note('nginx killed');
    await lasts(seconds * 1000);
    await nginx.restart();
    note('nginx back');
    check({ name: 'whole after nginx is back, ms', value: await timeUntilWhole(), atMost: 10_000 });
  },
});
