import { randomBytes } from 'node:crypto';
import { type NodeReport, nodeReport } from '@fanfare/protocol';
import { z } from 'zod';
import { keys } from '../keys.ts';
import { loadScript, type RedisCommands } from '../redis/script.ts';
import { estimateCount } from './user-sketch.ts';
import { isRefusedWrite } from './writes.ts';

/** How long a process counts as alive after its last heartbeat, and how often it renews, in ms. */
const LEASE_MS = 6000;
const HEARTBEAT_MS = 2000;

const heartbeat = loadScript(new URL('heartbeat.lua', import.meta.url));
const leave = loadScript(new URL('leave.lua', import.meta.url));
const list = loadScript(new URL('list.lua', import.meta.url), { onlyReads: true });
const KEYS = [keys.nodeLeases, keys.nodeReports] as const;
const heartbeatReply = z.tuple([z.int(), z.instanceof(Buffer)]);

/** What a process tells the others of itself. */
export const processReport = nodeReport.extend({
  /** A `UserSketch` of its users. */
  online: z.string().optional(),
});
export type ProcessReport = z.infer<typeof processReport>;

/** All processes, and about how many different users they have together: exactly as many where they are one process. */
export interface ClusterReport {
  nodes: NodeReport[];
  users: number;
}

/** Puts together what the processes tell. */
export function summarize(reports: readonly ProcessReport[]): ClusterReport {
  const own = reports.map(({ users }) => users);
  const sum = own.reduce((total, users) => total + users, 0);
  const estimate = estimateCount(reports.flatMap(({ online }) => online ?? []));
  return {
    nodes: reports.map(({ online: _, ...report }) => report),
    users: Math.min(Math.max(estimate, ...own), sum),
  };
}

/** The reports of all living processes of the cluster. Rejects when Redis cannot be asked. */
export async function listNodes(redis: RedisCommands): Promise<ProcessReport[]> {
  const rows = await list.run(redis, KEYS, []);
  return (Array.isArray(rows) ? rows : []).flatMap((row) => readReport(String(row)) ?? []);
}

/** What another release, or somebody else, has written there hides nobody. */
const readReport = (row: string): ProcessReport | undefined => {
  try {
    return processReport.safeParse(JSON.parse(row)).data;
  } catch {
    return undefined;
  }
};

/**
 * Holds the lease of one process incarnation and renews it with a fresh report. A Redis that is away only delays the
 * next renewal. `onSuperseded` is told once when a later incarnation of the same node and worker has taken over,
 * `onEmptied` each time when Redis turns out to have lost all that it held, without a connection having broken.
 */
export function holdLease(options: {
  redis: RedisCommands;
  report: () => ProcessReport;
  onSuperseded: () => void;
  onEmptied: () => void;
}): AsyncDisposable & {
  readonly superseded: boolean;
  /** Redis is reached and takes no writes: it is full, or a replica. */
  readonly refused: boolean;
} {
  const { redis, report } = options;
  let superseded = false;
  let joined = false;
  let refused = false;
  let mark: string | undefined;

  const beat = async (): Promise<void> => {
    const now = report();
    const reply = await heartbeat.run(
      redis,
      [...KEYS, keys.nodesMark],
      [
        `${now.node}/${now.worker}`,
        JSON.stringify(now),
        now.incarnation,
        LEASE_MS,
        joined ? '0' : '1',
        randomBytes(8).toString('hex'),
      ],
    );
    const [held, found] = heartbeatReply.parse(reply);
    joined = true;
    refused = false;
    if (held === 1) {
      const isOther = mark !== undefined && mark !== found.toString();
      mark = found.toString();
      if (isOther) options.onEmptied();
      return;
    }
    if (superseded) return;
    superseded = true;
    clearInterval(timer);
    options.onSuperseded();
  };
  const tryBeat = () =>
    void beat().catch((error: unknown) => {
      refused = isRefusedWrite(error);
    });
  const timer = setInterval(tryBeat, HEARTBEAT_MS);
  redis.on('ready', tryBeat);
  tryBeat();

  return {
    get superseded() {
      return superseded;
    },
    get refused() {
      return refused;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      redis.off('ready', tryBeat);
      const { node, worker, incarnation } = report();
      await leave.run(redis, KEYS, [`${node}/${worker}`, incarnation]).catch(() => undefined);
    },
  };
}
