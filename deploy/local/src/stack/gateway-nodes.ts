import type { ManagedProcess } from '@fanfare/testing';
import { type AppProcess, startApp } from '../process/app-process.ts';
import type { Membership } from '../process/process-group.ts';
import type { Env } from '../settings.ts';

/** A gateway of a started stack. */
export interface GatewayNode {
  readonly id: string;
  /** Its own address, past nginx. */
  readonly url: string;
  /** `/livez`, `/readyz`, `/metrics` */
  readonly opsUrl: string;
  readonly port: number;
  readonly pid: number;
  readonly process: ManagedProcess;
}

export interface GatewayNodes extends AsyncDisposable {
  /** Started nodes in the order of their ids, those that have ended since too. */
  list(): readonly GatewayNode[];
  /** A further node, or one whose process has ended again, with the same id and ports. */
  start(id?: string): Promise<GatewayNode>;
}

const byId = (a: GatewayNode, b: GatewayNode): number => a.id.localeCompare(b.id, 'en', { numeric: true });

const describe = (id: string, { process, port, opsPort }: AppProcess): GatewayNode => ({
  id,
  url: `http://127.0.0.1:${port}`,
  opsUrl: `http://127.0.0.1:${opsPort}`,
  port,
  pid: process.pid,
  process,
});

/** Nodes `n1`, `n2`, …, each with its own settings. */
export const createGatewayNodes = (deps: {
  envOf: (id: string) => Env;
  watch: (name: string) => Membership;
}): GatewayNodes => {
  const started = new Map<string, AppProcess>();
  let count = 0;
  const nextId = () => {
    count += 1;
    return `n${count}`;
  };
  return {
    list: () => [...started].map(([id, app]) => describe(id, app)).sort(byId),
    start: async (id = nextId()) => {
      const earlier = started.get(id);
      if (earlier?.process.isRunning) throw new Error(`${id} is still running.`);
      const app = await startApp({
        app: 'gateway',
        name: id,
        port: earlier?.port ?? 0,
        opsPort: earlier?.opsPort ?? 0,
        env: { ...deps.envOf(id), FANFARE_NODE_ID: id },
        ...deps.watch(id),
      });
      started.set(id, app);
      return describe(id, app);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...started.values()].map(({ process }) => process.stop()));
    },
  };
};
