import type { LogLine } from '@fanfare/local';
import { z } from 'zod';

const up = z.object({
  msg: z.literal('worker up'),
  node: z.string(),
  worker: z.string(),
  pid: z.int(),
});
const connected = z.object({ msg: z.literal('socket connected'), worker: z.string(), socket: z.string() });
const died = z.object({
  msg: z.literal('worker died, replacing it'),
  worker: z.string(),
  pid: z.int(),
  signal: z.string().nullable(),
});

/** What the processes of a stack tell of their workers. */
export const createWorkerLog = () => {
  const records: unknown[] = [];
  const all = <T>(schema: z.ZodType<T>): T[] =>
    records.flatMap((record) => {
      const parsed = schema.safeParse(record);
      return parsed.success ? [parsed.data] : [];
    });
  const pidsOf = (node: string, worker: string): number[] =>
    all(up)
      .filter((one) => one.node === node && one.worker === worker)
      .map(({ pid }) => pid);
  const pidOf = (node: string, worker: string): number => {
    const pid = pidsOf(node, worker).at(-1);
    if (pid === undefined) throw new Error(`worker ${worker} of ${node} was never up`);
    return pid;
  };
  const deaths = () => all(died);
  return {
    write: ({ text }: LogLine) => {
      if (text.startsWith('{')) records.push(JSON.parse(text));
    },
    /** The pids of one worker of a node, in the order of their starts. */
    pidsOf,
    /** The last one that was up. */
    pidOf,
    isUp: (node: string, worker: string): boolean => !deaths().some(({ pid }) => pid === pidOf(node, worker)),
    /** The worker that holds a socket. */
    workerOf: (socket: string | undefined): string => {
      const found = all(connected).find((one) => one.socket === socket);
      if (!found) throw new Error(`no worker has told of ${socket}`);
      return found.worker;
    },
    deaths,
  };
};
export type WorkerLog = ReturnType<typeof createWorkerLog>;
