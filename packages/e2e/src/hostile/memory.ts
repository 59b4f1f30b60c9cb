import { kill } from 'node:process';
import type { GatewayNode, LogLine } from '@fanfare/local';
import { z } from 'zod';

const collected = z.object({
  collected: z.int(),
  heapUsed: z.number(),
  external: z.number(),
  rss: z.number(),
});

const PRELOAD = new URL('./collect-on-signal.ts', import.meta.url);

/** What a gateway still holds after it has collected garbage, in bytes. */
export interface Held {
  /** Heap and what hangs on it. */
  bytes: number;
  rss: number;
}

/** Asks gateways that were started with `env`, and whose lines go to `hear`, for what they hold. */
export const createMemoryProbe = () => {
  const waiting = new Map<number, (held: Held) => void>();
  return {
    env: { NODE_OPTIONS: `--import=${PRELOAD.href}` },
    hear: ({ text }: LogLine): void => {
      if (!text.startsWith('{"collected"')) return;
      const answer = collected.parse(JSON.parse(text));
      waiting.get(answer.collected)?.({ bytes: answer.heapUsed + answer.external, rss: answer.rss });
    },
    held: ({ pid }: GatewayNode): Promise<Held> =>
      new Promise((resolve) => {
        waiting.set(pid, resolve);
        kill(pid, 'SIGUSR2');
      }),
  };
};
