import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '@fanfare/testing';
import { z } from 'zod';

const DEFAULTS = {
  FANFARE_HOST: '127.0.0.1',
  FANFARE_PORT: '0',
  FANFARE_OPS_HOST: '127.0.0.1',
  FANFARE_OPS_PORT: '0',
  LOG_LEVEL: undefined,
  REDIS_URL: undefined,
};
const OWN = {
  gateway: { FANFARE_NODE_ID: 'n1', FANFARE_TOKEN_SECRET: 'a-secret-of-the-tests-long-enough-for-HS256' },
  api: { FANFARE_API_KEYS: 'tests:k3y-of-the-tests-0001' },
} as const;

/** A line of a process's log. */
const record = z.looseObject({ level: z.string(), time: z.iso.datetime(), msg: z.string() });
export type LogRecord = z.infer<typeof record>;

const listening = z.object({ port: z.int(), opsPort: z.int() });

/** The real program of a gateway or the api, which may still end in its start. */
export interface AppProcess extends AsyncDisposable {
  readonly process: ManagedProcess;
  readonly stderr: readonly string[];
  /** Its log so far; a line of stdout that is no JSON fails here. */
  log(): LogRecord[];
  /** Its addresses, once it listens. */
  listening(): Promise<{ url: string; opsUrl: string; port: number }>;
}

/** Starts a program on free ports of 127.0.0.1; `env` adds settings, `undefined` takes one away. */
export const runApp = async (
  app: 'gateway' | 'api',
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<AppProcess> => {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  const child = await ManagedProcess.start({
    name: app,
    command: execPath,
    args: [
      '--conditions=source',
      fileURLToPath(new URL(`../../../../apps/${app}/src/main.ts`, import.meta.url)),
    ],
    env: { ...DEFAULTS, ...OWN[app], ...env },
    onLine: (line, stream) => lines[stream].push(line),
  });
  return {
    process: child,
    stderr: lines.stderr,
    log: () => lines.stdout.map((line) => record.parse(JSON.parse(line))),
    listening: async () => {
      const line = await child.waitForLine((text) => text.includes('"msg":"listening"'), {
        timeoutMs: 30_000,
      });
      const { port, opsPort } = listening.parse(JSON.parse(line));
      return { url: `http://127.0.0.1:${port}`, opsUrl: `http://127.0.0.1:${opsPort}`, port };
    },
    [Symbol.asyncDispose]: async () => {
      await child.stop();
    },
  };
};

const readiness = z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) });

/** What `/readyz` answers: the status, and why it is not 200. */
export const readinessOf = async (opsUrl: string): Promise<{ status: number; reasons: string[] }> => {
  const response = await fetch(`${opsUrl}/readyz`);
  const { reasons } = readiness.parse(await response.json());
  return { status: response.status, reasons };
};

export const READY = { status: 200, reasons: [] };
export const REDIS_AWAY = { status: 503, reasons: ['redis: publish and subscribe do not both work'] };
