import { kill } from 'node:process';
import type { GatewayNode, LogLine } from '@fanfare/local';
import { z } from 'zod';

const collected = z.object({
  collected: z.int(),
  heapUsed: z.number(),
  external: z.number(),
  loopMs: z.number(),
});

const PRELOAD = new URL('./collect-on-signal.ts', import.meta.url);

/** What a gateway still holds after it has collected garbage, in bytes. */
export interface Held {
  /** Heap and what hangs on it. */
  bytes: number;
  /** The most of the processor's time between two of its timers of 5 ms since it was last asked, in ms. */
  loopMs: number;
}

/** Asks gateways that were started with `env`, and whose lines go to `hear`, for what they hold. */
export const createMemoryProbe = () => {
  const waiting = new Map<number, (held: Held) => void>();
  return {
    env: { NODE_OPTIONS: `--import=${PRELOAD.href}` },
    hear: ({ text }: LogLine): void => {
      if (!text.startsWith('{"collected"')) return;
      const { collected: pid, heapUsed, external, loopMs } = collected.parse(JSON.parse(text));
      waiting.get(pid)?.({ bytes: heapUsed + external, loopMs });
    },
    held: ({ pid }: GatewayNode): Promise<Held> =>
      new Promise((resolve) => {
        waiting.set(pid, resolve);
        kill(pid, 'SIGUSR2');
      }),
  };
};
