import { setTimeout as lasts } from 'node:timers/promises';
import { eventually } from '@fanfare/testing';
import { scrapeAll, total } from '../../cluster/metrics.ts';
import type { Member } from '../member.ts';
import type { Chaos, Scenario } from '../run.ts';

interface Signal {
  number: number;
  sender: Member;
  room: string;
}

const GAP_MS = 20;
/** A node asks what it has missed for so long after it hears again. */
const ASKED_MS = 6000;

/** Sends signals to rooms at random until it is stopped. */
const startSignals = ({ members, random }: Chaos) => {
  const sent: Signal[] = [];
  const send = (): Signal => {
    const sender = random.pick(members);
    const room = random.pick([...sender.tracks.keys()]);
    const signal = { number: sent.length, sender, room };
    sender.signal(room, signal.number);
    sent.push(signal);
    return signal;
  };
  const timer = setInterval(send, GAP_MS);
  return { sent, send, stop: () => clearInterval(timer) };
};

const hearersOf = ({ members }: Chaos, { sender, room }: Signal): Member[] =>
  members.filter((member) => member !== sender && member.tracks.has(room));

const isHeardBy = (signal: Signal, members: readonly Member[]): boolean =>
  members.every((member) => member.signals.has(signal.number));

/** What may be lost is lost for other nodes only, while Redis is away, and is counted. */
export const signalsInOutage = (seconds: number): Scenario => ({
  name: `signals while redis is away for ${seconds} s`,
  publishes: false,
  fault: async (chaos) => {
    const { cluster, note, check } = chaos;
    const { redis } = cluster.stack;
    const signals = startSignals(chaos);
    await eventually(() => assertHeard(chaos, signals.send()), { timeoutMs: 10_000 });
    redis.kill('SIGKILL');
    note('redis killed');
    await redis.process.exited;
    await lasts(seconds * 1000);
    await redis.restart();
    note('redis back');
    await eventually(() => assertHeard(chaos, signals.send()), { timeoutMs: 10_000 });
    signals.stop();
    const last = signals.send();
    await eventually(() => assertHeard(chaos, last), { timeoutMs: 10_000 });

    const onNode = (signal: Signal, same: boolean) =>
      hearersOf(chaos, signal).filter((member) => (member.node === signal.sender.node) === same);
    const lostNearby = signals.sent.filter((signal) => !isHeardBy(signal, onNode(signal, true)));
    const lostElsewhere = signals.sent.filter((signal) => !isHeardBy(signal, onNode(signal, false)));
    const count = async () => {
      const samples = await scrapeAll(cluster.stack.nodes);
      const dropped = total(samples, 'fanfare_bus_publish_dropped_total');
      return { dropped, missed: total(samples, 'fanfare_bus_missed_total') };
    };
    await eventually(
      async () => {
        const { dropped, missed } = await count();
        if (dropped + missed < lostElsewhere.length) throw new Error('not all that was lost is counted');
      },
      { timeoutMs: ASKED_MS },
    ).catch(() => undefined);
    const { dropped, missed } = await count();
    check({ name: 'signals', value: signals.sent.length, atLeast: (seconds * 1000) / GAP_MS / 2 });
    check({ name: 'signals lost on the node of the sender', value: lostNearby.length, exactly: 0 });
    check({ name: 'signals lost on other nodes', value: lostElsewhere.length });
    check({ name: 'signals counted as dropped', value: dropped });
    check({ name: 'signals counted as missed', value: missed });
    const uncounted = Math.max(0, lostElsewhere.length - dropped - missed);
    check({ name: 'signals lost and not counted', value: uncounted, exactly: 0 });
  },
});

const assertHeard = async (chaos: Chaos, signal: Signal): Promise<void> => {
  const hearers = hearersOf(chaos, signal);
  await eventually(
    () => {
      if (!isHeardBy(signal, hearers)) throw new Error(`signal ${signal.number} was not heard by all`);
    },
    { timeoutMs: 500 },
  );
};
