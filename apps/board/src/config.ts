import { readFileSync } from 'node:fs';
import { z } from 'zod';

const port = z
  .string()
  .regex(/^\d{1,5}$/)
  .transform(Number)
  .pipe(z.int().max(65_535));

/** Every setting of the board, with what it means. */
export const boardSettings = z.object({
  BOARD_HOST: z.string().default('0.0.0.0').describe('Address that the board listens on'),
  BOARD_PORT: port.default(3200).describe('Its port; 0 takes a free one'),
  BOARD_SAMPLE_DATA: z
    .stringbool()
    .default(false)
    .describe('Fill an empty database with something to look at'),
  BOARD_CHECK_DATABASE_MS: z
    .string()
    .regex(/^\d{2,6}$/)
    .transform(Number)
    .default(2000)
    .describe('Longest time that readiness waits for the database, in ms'),
  BOARD_PAGE: z
    .enum(['production', 'development'])
    .default('production')
    .describe('How the page is built; development has React check it as it runs'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host/database')
    .describe('Its PostgreSQL'),
  FANFARE_URL: z.url().describe('Where the api of the cluster is, such as http://api:3100'),
  FANFARE_API_KEY: z
    .string()
    .min(16, 'expected at least 16 characters')
    .describe('One of FANFARE_API_KEYS of the api, without its name'),
  FANFARE_TOKEN_SECRET: z
    .string()
    .min(32, 'expected at least 32 characters')
    .describe('The secret that the gateways check tokens with'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least level that is logged'),
});

/** Longest time between the signal to stop and the end of the process, in ms. */
export const BOARD_SHUTDOWN_MS = 15_000;
const SECRETS = ['DATABASE_URL', 'FANFARE_API_KEY', 'FANFARE_TOKEN_SECRET'];

/** Bad configuration: every problem in one message. */
export class ConfigError extends Error {}

const given = (env: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const values: Record<string, string> = {};
  for (const name of Object.keys(boardSettings.shape)) {
    const file = SECRETS.includes(name) ? env[`${name}_FILE`] : undefined;
    const value = file ? readFileSync(file, 'utf8').trim() : env[name];
    if (value !== undefined && value !== '') values[name] = value;
  }
  return values;
};

export type BoardConfig = ReturnType<typeof loadBoardConfig>;

/** The board's settings from its environment; a secret may stand in the file that `NAME_FILE` names. */
export const loadBoardConfig = (env: Readonly<Record<string, string | undefined>>) => {
  const values = given(env);
  const { data, error } = boardSettings.safeParse(values);
  if (data === undefined) {
    const problems = error.issues.map(({ path: [name], message }) =>
      String(name) in values ? `${String(name)}: ${message}` : `${String(name)} is not set`,
    );
    throw new ConfigError(
      `The configuration has problems:\n${problems.map((text) => `  - ${text}`).join('\n')}`,
    );
  }
  return {
    host: data.BOARD_HOST,
    port: data.BOARD_PORT,
    pageMode: data.BOARD_PAGE,
    sampleData: data.BOARD_SAMPLE_DATA,
    databaseUrl: data.DATABASE_URL,
    databaseCheckMs: data.BOARD_CHECK_DATABASE_MS,
    cluster: { url: data.FANFARE_URL, apiKey: data.FANFARE_API_KEY, tokenSecret: data.FANFARE_TOKEN_SECRET },
    logLevel: data.LOG_LEVEL,
  } as const;
};
