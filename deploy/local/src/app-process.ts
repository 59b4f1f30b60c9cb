import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { eventually, ManagedProcess } from '@fanfare/testing';
import { z } from 'zod';
import type { Membership } from './process-group.ts';

const listening = z.object({ msg: z.literal('listening'), port: z.int(), opsPort: z.int() });

/** A gateway or the api as a child process that listens and is ready. */
export interface AppProcess {
  process: ManagedProcess;
  port: number;
  opsPort: number;
}

const parseListening = (line: string) => {
  if (!line.includes('"listening"')) return undefined;
  try {
    return listening.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
};

/** Starts `apps/{app}/src/main.ts` on 127.0.0.1; `port` and `opsPort` 0 take free ones. */
export const startApp = async (
  options: {
    app: 'gateway' | 'api';
    /** What errors call it. */
    name: string;
    port: number;
    opsPort: number;
    env: Readonly<Record<string, string | undefined>>;
  } & Membership,
): Promise<AppProcess> => {
  const { app, name, port, opsPort, env, ...membership } = options;
  const child = await ManagedProcess.start({
    ...membership,
    name,
    command: execPath,
    args: [
      '--conditions=source',
      fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url)),
    ],
    env: {
      ...env,
      FANFARE_HOST: '127.0.0.1',
      FANFARE_PORT: String(port),
      FANFARE_OPS_HOST: '127.0.0.1',
      FANFARE_OPS_PORT: String(opsPort),
    },
    killAfterMs: 10_000,
  });
  try {
    const line = await child.waitForLine((text) => parseListening(text) !== undefined, { timeoutMs: 30_000 });
    const ports = listening.parse(JSON.parse(line));
    await child.untilReady(eventually(() => assertReady(ports.opsPort), { timeoutMs: 15_000 }));
    return { process: child, port: ports.port, opsPort: ports.opsPort };
  } catch (error) {
    await child.stop();
    throw error;
  }
};

const assertReady = async (opsPort: number): Promise<void> => {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  if (!answer.ok) throw new Error(`/readyz answers ${await answer.text()}`);
};
