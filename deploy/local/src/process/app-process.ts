import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { eventually, ManagedProcess } from '@fanfare/testing';
import { z } from 'zod';
import type { Env } from '../settings.ts';
import type { Membership } from './process-group.ts';

const ROOT = new URL('../../../../', import.meta.url);

const listening = z.object({ msg: z.literal('listening'), port: z.int(), opsPort: z.int() });

/** A gateway or the api as a child process that listens and is ready. */
export interface AppProcess {
  process: ManagedProcess;
  port: number;
  opsPort: number;
}

const parseAs = <T>(schema: z.ZodType<T>, line: string): T | undefined => {
  if (!line.startsWith('{')) return undefined;
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
};

/** Starts a program of the repository, and waits until it logs a record that fits the schema. */
export const startProgram = async <T>(
  options: {
    /** Path in the repository. */
    main: string;
    /** What errors call it. */
    name: string;
    env: Env;
    awaits: z.ZodType<T>;
  } & Membership,
): Promise<{ process: ManagedProcess; record: T }> => {
  const { main, awaits, ...processOptions } = options;
  const child = await ManagedProcess.start({
    ...processOptions,
    command: execPath,
    args: ['--conditions=source', fileURLToPath(new URL(main, ROOT))],
    killAfterMs: 10_000,
  });
  try {
    const isAwaited = (line: string) => parseAs(awaits, line) !== undefined;
    const line = await child.waitForLine(isAwaited, { timeoutMs: 30_000 });
    return { process: child, record: awaits.parse(JSON.parse(line)) };
  } catch (error) {
    await child.stop();
    throw error;
  }
};

/** Starts a gateway or the api on 127.0.0.1, and waits until it is ready; `port` and `opsPort` 0 take free ones. */
export const startApp = async (
  options: {
    app: 'gateway' | 'api';
    name: string;
    port: number;
    opsPort: number;
    env: Env;
  } & Membership,
): Promise<AppProcess> => {
  const { app, port, opsPort, env, ...rest } = options;
  const started = await startProgram({
    ...rest,
    main: `apps/${app}/src/main.ts`,
    awaits: listening,
    env: {
      ...env,
      FANFARE_HOST: '127.0.0.1',
      FANFARE_PORT: String(port),
      FANFARE_OPS_HOST: '127.0.0.1',
      FANFARE_OPS_PORT: String(opsPort),
    },
  });
  const { process: child, record } = started;
  try {
    await child.untilReady(eventually(() => assertReady(record.opsPort), { timeoutMs: 15_000 }));
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { process: child, port: record.port, opsPort: record.opsPort };
};

const assertReady = async (opsPort: number): Promise<void> => {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  if (!answer.ok) throw new Error(`/readyz answers ${await answer.text()}`);
};
