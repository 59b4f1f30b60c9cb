import { type NodeReport, nodeReport } from '@fanfare/protocol';
import { keys } from '../keys.ts';
import { loadScript, type RedisCommands } from '../redis-script.ts';

/** How long a process counts as alive after its last heartbeat, and how often it renews, in ms. */
const LEASE_MS = 6000;
const HEARTBEAT_MS = 2000;

const heartbeat = loadScript(new URL('heartbeat.lua', import.meta.url));
const leave = loadScript(new URL('leave.lua', import.meta.url));
const list = loadScript(new URL('list.lua', import.meta.url), { onlyReads: true });
const KEYS = [keys.nodeLeases, keys.nodeReports] as const;

/** The reports of all living processes of the cluster. Rejects when Redis cannot be asked. */
export async function listNodes(redis: RedisCommands): Promise<NodeReport[]> {
  const rows = await list.run(redis, KEYS, []);
  return (Array.isArray(rows) ? rows : []).flatMap((row) => {
    const report = nodeReport.safeParse(JSON.parse(String(row)));
    return report.success ? [report.data] : [];
  });
}

/**
 * Holds the lease of one process incarnation and renews it with a fresh report. A Redis that is away only delays the
 * next renewal. `onSuperseded` is told once when a later incarnation of the same node and worker has taken over.
 */
export function holdLease(options: {
  redis: RedisCommands;
  report: () => NodeReport;
  onSuperseded: () => void;
}): AsyncDisposable & { readonly superseded: boolean } {
  const { redis, report } = options;
  let superseded = false;
  let joined = false;

  const beat = async (): Promise<void> => {
    const now = report();
    const held = await heartbeat.run(redis, KEYS, [
      `${now.node}/${now.worker}`,
      JSON.stringify(now),
      now.incarnation,
      LEASE_MS,
      joined ? '0' : '1',
    ]);
    joined = true;
    if (held === 1 || superseded) return;
    superseded = true;
    clearInterval(timer);
    options.onSuperseded();
  };
  const tryBeat = () => void beat().catch(() => undefined);
  const timer = setInterval(tryBeat, HEARTBEAT_MS);
  redis.on('ready', tryBeat);
  tryBeat();

  return {
    get superseded() {
      return superseded;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      redis.off('ready', tryBeat);
      const { node, worker, incarnation } = report();
      await leave.run(redis, KEYS, [`${node}/${worker}`, incarnation]).catch(() => undefined);
    },
  };
}
