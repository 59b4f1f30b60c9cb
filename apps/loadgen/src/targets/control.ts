import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';

/** Broadcasts one message to `rooms` rooms: 1 is the room of everybody. */
export type Broadcast = (seq: number, rooms: number) => void;

/** What a target answers on stdout, one JSON object a line; other lines there are its log. */
export const targetAnswer = z.discriminatedUnion('bench', [
  z.object({ bench: z.literal('ready'), port: z.int(), name: z.string().default('') }),
  z.object({ bench: z.literal('ticks'), ticks: z.int(), last: z.int(), blocked: z.int().default(0) }),
  z.object({ bench: z.literal('dealt') }),
  z.object({ bench: z.literal('memory'), heapUsed: z.number(), external: z.number() }),
]);
export type TargetAnswer = z.infer<typeof targetAnswer>;

/** Writes an answer; the process that started the target reads it. */
export const answer = (value: z.input<typeof targetAnswer>): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

/**
 * Takes commands from stdin, so that the messages of a measurement start inside the server:
 * `ticks ROOMS PER_TICK MS GAP_MS` broadcasts PER_TICK messages to each of ROOMS rooms in one turn of the event
 * loop, rests for GAP_MS so that the receivers keep up, and goes on for MS; `memory` collects garbage and answers;
 * `deal ROOMS` says how many small rooms the connections to come are dealt to.
 */
export const serveControl = (broadcast: Broadcast, deal?: (rooms: number) => void): void => {
  let last = 0;
  const runTicks = async ([rooms = 1, perTick = 1, ms = 0, gapMs = 0]: number[]): Promise<void> => {
    // Connections that the kernel holds are accepted before the first message.
    await delay(gapMs);
    const end = performance.now() + ms;
    let ticks = 0;
    for (; performance.now() < end; ticks++) {
      for (let i = 0; i < perTick; i++) broadcast(++last, rooms);
      await delay(gapMs);
    }
    answer({ bench: 'ticks', ticks, last });
  };
  const lines = createInterface({ input: process.stdin });
  // Whoever started the target is gone.
  lines.once('close', () => process.exit(0));
  lines.on('line', async (line) => {
    const [command, ...words] = line.split(' ');
    const numbers = words.map(Number);
    if (command === 'ticks') await runTicks(numbers);
    if (command === 'memory') await answerMemory();
    if (command === 'deal') {
      deal?.(numbers[0] ?? 0);
      answer({ bench: 'dealt' });
    }
  });
};

const answerMemory = async (): Promise<void> => {
  // Without --expose-gc the V8 settings of the process stay those that it would have in production.
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 3; round++) {
    collect();
    await delay(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  answer({ bench: 'memory', heapUsed, external });
};
