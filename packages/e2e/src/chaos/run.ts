import { eventually } from '@fanfare/testing';
import { type ChaosCluster, type NodeName, startCluster } from './cluster.ts';
import { Latencies } from './latencies.ts';
import { Member } from './member.ts';
import { Publishers } from './publishers.ts';
import { createRandom, type Random } from './random.ts';
import { addFaults, noFaults, type Position } from './room-track.ts';
import { type Check, judge, type Verdict } from './verdict.ts';

export interface Load {
  clients: number;
  rooms: number;
  roomsPerClient: number;
  eventsPerSecond: number;
  payloadBytes: number;
}

/** What a fault works with. */
export interface Chaos {
  readonly cluster: ChaosCluster;
  readonly members: readonly Member[];
  readonly publishers: Publishers;
  readonly rooms: readonly string[];
  readonly random: Random;
  /** Writes into the timeline. */
  note(what: string): void;
  /** A number to be judged by. */
  check(check: Check): void;
  /** How long it takes until the members have everything that publishers have been told of so far, in ms. */
  timeUntilWhole(members?: readonly Member[]): Promise<number>;
}

/** A scenario is data and a fault. */
export interface Scenario {
  name: string;
  /** Default: what the caller of `runScenario` gives. */
  load?: Partial<Load>;
  /** Settings of gateways and api. */
  env?: Readonly<Record<string, string>>;
  /** Instead of a standalone Redis; what it lost in a failover is reported. */
  redis?: 'cluster' | 'sentinel';
  /** Which members must be told that continuity is lost; default none. */
  resets?: 'none' | 'some' | 'every member';
  /** The one node that members connect to, past nginx; default: nginx chooses. */
  at?: NodeName;
  /** Publishing at the rate goes on around the fault; default true. */
  publishes?: boolean;
  /** Nodes that the fault leaves alone: their members hear as fast as without it. */
  untouched?: readonly NodeName[];
  /** Runs while events flow; its end is the healing. */
  fault(chaos: Chaos): Promise<void>;
}

const SETTLE_MS = 30_000;
/** Events flow for so long before and after the fault, unless the caller says otherwise. */
const CALM_MS = 2000;

export const runScenario = async (
  scenario: Scenario,
  given: { seed: number; load: Load; calmMs?: number; judgesLatency?: boolean },
): Promise<Verdict> => {
  const began = performance.now();
  const load = { ...given.load, ...scenario.load };
  const random = createRandom(given.seed);
  const rooms = Array.from({ length: load.rooms }, (_, i) => `chaos:${i}`);
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(
    await startCluster({
      ...(scenario.env && { env: scenario.env }),
      ...(scenario.redis && { redis: scenario.redis }),
    }),
  );
  const latencies = new Latencies();
  const url = cluster.stack.nodes.find(({ id }) => id === scenario.at)?.url ?? cluster.stack.url;
  const members = await openMembers(stack, { cluster, url, load, rooms, latencies });
  const publishers = new Publishers({
    url: cluster.stack.url,
    apiKey: cluster.stack.apiKey,
    rooms,
    eventsPerSecond: load.eventsPerSecond,
    payloadBytes: load.payloadBytes,
    random: createRandom(given.seed + 1),
    run: `s${given.seed}`,
  });
  const startedAt = performance.now();
  const timeline: Verdict['timeline'] = [];
  const checks: Check[] = [];
  const note = (what: string) => timeline.push({ atMs: Math.round(performance.now() - startedAt), what });
  const timeUntilWhole = createClock(publishers);
  const chaos: Chaos = {
    cluster,
    members,
    publishers,
    rooms,
    random,
    note,
    check: (check) => checks.push(check),
    timeUntilWhole: (some = members) => timeUntilWhole(some),
  };

  await carryOut({ scenario, chaos, latencies, calmMs: given.calmMs ?? CALM_MS });
  checks.push(...latencies.checks(scenario.untouched ?? [], { judges: given.judgesLatency !== false }));
  const settledMs = await timeUntilWhole(members).catch(() => SETTLE_MS + 1);
  checks.push({ name: 'whole after the last event, ms', value: settledMs, atMost: SETTLE_MS });
  return conclude({ scenario, chaos, load, timeline, checks, latencies, seed: given.seed, began });
};

/** The fault, with events flowing before, during and after it. */
const carryOut = async (run: {
  scenario: Scenario;
  chaos: Chaos;
  latencies: Latencies;
  calmMs: number;
}): Promise<void> => {
  const { scenario, chaos, latencies, calmMs } = run;
  const { publishers, note, check } = chaos;
  const publishes = scenario.publishes !== false;
  if (publishes) {
    publishers.start();
    await flows(publishers, calmMs);
  }
  latencies.faultBegins();
  await scenario.fault(chaos);
  latencies.faultEnds();
  note('healed');
  if (publishes) {
    const healedAt = performance.now();
    const acceptedBefore = publishers.counts.accepted;
    await eventually(() => atLeast(publishers.counts.accepted, acceptedBefore + 1), { timeoutMs: SETTLE_MS });
    check({ name: 'first accepted after healing, ms', value: Math.round(performance.now() - healedAt) });
    await flows(publishers, calmMs);
  }
  await publishers.stop();
  note('publishers stopped');
};

const atLeast = (value: number, least: number): void => {
  if (value < least) throw new Error(`${value} is less than ${least}`);
};

/** Resolves after so many ms in which events were accepted to the end. */
const flows = async (publishers: Publishers, ms: number): Promise<void> => {
  const from = performance.now();
  await eventually(() => atLeast(publishers.lastAcceptedAt, from + ms), { timeoutMs: ms + SETTLE_MS });
};

const openMembers = async (
  stack: AsyncDisposableStack,
  options: { cluster: ChaosCluster; url: string; load: Load; rooms: readonly string[]; latencies: Latencies },
): Promise<Member[]> => {
  const { cluster, url, load, rooms, latencies } = options;
  const members: Member[] = [];
  stack.defer(() => {
    for (const member of members) member[Symbol.dispose]();
  });
  const { token } = cluster.stack;
  // Together at most: the handshakes of all at once would be a storm of its own.
  const BATCH = 100;
  while (members.length < load.clients) {
    for (let i = 0; i < BATCH && members.length < load.clients; i++) {
      const first = members.length * load.roomsPerClient;
      const own = Array.from(
        { length: load.roomsPerClient },
        (_, j) => rooms[(first + j) % rooms.length] ?? '',
      );
      const onLatency = (ms: number, { sentAt, node }: { sentAt: number; node: string }) =>
        latencies.add({ ms, sentAt, node });
      members.push(new Member({ url, token, rooms: own, onLatency }));
    }
    await eventually(() => assertWhole(members), { timeoutMs: SETTLE_MS });
  }
  return members;
};

const assertWhole = (members: readonly Member[]): void => {
  const missing = members.filter((member) => !member.isWhole).length;
  if (missing > 0) throw new Error(`${missing} of ${members.length} are not in all of their rooms`);
};

const createClock =
  (publishers: Publishers) =>
  async (members: readonly Member[]): Promise<number> => {
    const from = performance.now();
    const ends = new Map<string, Position | undefined>();
    for (const member of members) {
      for (const room of member.tracks.keys()) ends.set(room, publishers.endOf(room));
    }
    const assertReached = () => {
      assertWhole(members);
      const behind = members.filter((member) =>
        [...member.tracks].some(([room, track]) => !track.hasReached(ends.get(room))),
      );
      if (behind.length > 0) throw new Error(`${behind.length} of ${members.length} have not heard all`);
    };
    await eventually(assertReached, { timeoutMs: SETTLE_MS });
    return Math.round(performance.now() - from);
  };

const conclude = (run: {
  scenario: Scenario;
  chaos: Chaos;
  load: Load;
  timeline: Verdict['timeline'];
  checks: Check[];
  latencies: Latencies;
  seed: number;
  began: number;
}): Verdict => {
  const { scenario, chaos, load, checks } = run;
  const { members, publishers, cluster } = chaos;
  const faults = noFaults();
  let [delivered, resets, untold] = [0, 0, 0];
  for (const member of members) {
    for (const [room, track] of member.tracks) {
      addFaults(faults, track.faults(publishers.truthOf(room), publishers.overwritten));
      delivered += track.received;
      resets += track.resets;
      if (track.resets === 0) untold += 1;
    }
  }
  const sum = (count: (member: Member) => number) => members.reduce((all, member) => all + count(member), 0);
  const oddities = [...publishers.oddities, ...members.flatMap((member) => member.oddities)];
  const judged = [
    ...Object.entries(faults).map(([name, value]) => ({ name, value, exactly: 0 })),
    { name: 'offsets that no publisher was told of', value: publishers.holes(), exactly: 0 },
    {
      name: 'accepted events that Redis lost and gave their offset away',
      value: publishers.overwritten.size,
      ...(scenario.redis === undefined && { exactly: 0 }),
    },
    { name: 'answers outside of the contract', value: oddities.length, exactly: 0 },
    { name: 'joins without an answer', value: sum(({ hungJoins }) => hungJoins), exactly: 0 },
    { name: 'processes that exited', value: cluster.exits.length, exactly: 0 },
    ...(scenario.resets === 'every member'
      ? [{ name: 'members not told of a reset of a room', value: untold, exactly: 0 }]
      : []),
    ...(scenario.resets === undefined || scenario.resets === 'none'
      ? [{ name: 'resets', value: resets, exactly: 0 }]
      : []),
    ...checks,
  ].map(judge);
  const ok = judged.every((check) => check.ok);
  const { clients, rooms, roomsPerClient, eventsPerSecond } = load;
  return {
    scenario: scenario.name,
    ok,
    seed: run.seed,
    load: { clients, rooms, roomsPerClient, eventsPerSecond },
    timeline: run.timeline,
    published: { ...publishers.counts },
    delivered,
    faults,
    resets,
    reconnects: sum(({ connectedAt }) => connectedAt.length - 1),
    refusedJoins: sum(({ refusedJoins }) => refusedJoins),
    latencyMs: run.latencies.summary(),
    checks: judged,
    ...(!ok && {
      complaints: [
        ...cluster.exits.map((exit) => JSON.stringify(exit)),
        ...oddities.slice(0, 5),
        ...cluster.complaints.slice(-10),
      ],
    }),
    tookMs: Math.round(performance.now() - run.began),
  };
};
