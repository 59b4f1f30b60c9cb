import { randomBytes } from 'node:crypto';
import { freePort, type ManagedProcess, PostgresServer } from '@fanfare/testing';
import { z } from 'zod';
import type { Credentials } from '../credentials.ts';
import { startProgram } from '../process/app-process.ts';
import type { ProcessGroup } from '../process/process-group.ts';
import type { Env } from '../settings.ts';

/** The example product beside a stack. */
export interface LocalBoard {
  /** Through nginx. */
  readonly url: string;
  /** Its own address, past nginx: `/livez` and `/readyz`. */
  readonly opsUrl: string;
  readonly process: ManagedProcess;
  readonly postgres: PostgresServer;
}

const listening = z.object({ app: z.literal('board'), msg: z.literal('listening'), port: z.int() });

/** The example product of a stack, which starts behind it. */
export interface BoardPlan extends AsyncDisposable {
  readonly port: number;
  /** What the api is to know of it. */
  readonly apiEnv: Env;
  start(stack: { group: ProcessGroup; apiPort: number; url: string; env: Env }): Promise<LocalBoard>;
}

/** Ports and secrets are known before anything starts, so that the others need not wait for it. */
export const planBoard = async (credentials: Credentials): Promise<BoardPlan> => {
  const [port, databasePort] = await Promise.all([freePort(), freePort()]);
  const password = randomBytes(16).toString('hex');
  const databaseUrl = `postgres://postgres:${password}@127.0.0.1:${databasePort}/postgres`;
  const running: ManagedProcess[] = [];
  let isEnding = false;
  let started: Promise<LocalBoard> | undefined;

  const watchIn = (group: ProcessGroup, name: string) => {
    const membership = group.watch(name);
    return {
      ...membership,
      onStart: (child: ManagedProcess) => {
        membership.onStart?.(child);
        running.push(child);
        if (isEnding) child.kill('SIGKILL');
      },
    };
  };
  const start: BoardPlan['start'] = async ({ group, apiPort, url, env }) => {
    const postgres = await PostgresServer.start({
      ...watchIn(group, 'postgres'),
      port: databasePort,
      password,
    });
    try {
      const { process } = await startProgram({
        ...watchIn(group, 'board'),
        name: 'board',
        main: 'apps/board/src/main.ts',
        awaits: listening,
        env: { ...boardEnv({ port, databaseUrl, apiPort, credentials }), ...env },
      });
      return { url: `${url}/board/`, opsUrl: `http://127.0.0.1:${port}`, process, postgres };
    } catch (error) {
      await postgres[Symbol.asyncDispose]();
      throw error;
    }
  };

  return {
    port,
    apiEnv: { FANFARE_OUTBOX_DATABASE_URL: databaseUrl },
    start: (stack) => {
      started ??= start(stack);
      return started;
    },
    [Symbol.asyncDispose]: async () => {
      isEnding = true;
      await Promise.all(running.toReversed().map((child) => child.stop()));
      const board = await started?.catch(() => undefined);
      await board?.postgres[Symbol.asyncDispose]();
    },
  };
};

const boardEnv = (given: {
  port: number;
  databaseUrl: string;
  apiPort: number;
  credentials: Credentials;
}): Env => ({
  BOARD_HOST: '127.0.0.1',
  BOARD_PORT: String(given.port),
  BOARD_SAMPLE_DATA: 'true',
  DATABASE_URL: given.databaseUrl,
  FANFARE_URL: `http://127.0.0.1:${given.apiPort}`,
  FANFARE_API_KEY: given.credentials.apiKey,
  FANFARE_TOKEN_SECRET: given.credentials.tokenSecret,
  LOG_LEVEL: 'info',
});
