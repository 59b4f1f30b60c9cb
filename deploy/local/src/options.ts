import { parseArgs } from 'node:util';

export const USAGE = `npm start [-- options]

  --nodes N     gateway nodes, default 3
  --workers N   worker processes per node, default 1; 2 with --single
  --port N      public port, default 8080; 0 takes a free one
  --host H      address that it listens on, default 127.0.0.1
  --no-board    without the example product at /board/ and its PostgreSQL
  --json        print one JSON line when ready; logs go to stderr
  --single      one node without Redis and nginx, whatever --nodes says
  --help        this text

Settings of the gateways (FANFARE_HANDLERS, FANFARE_NAMESPACES, LOG_LEVEL, ...) are taken from the environment.
`;

/** The command line could not be understood: one sentence for the reader. */
export class UsageError extends Error {}

export interface LauncherOptions {
  nodes: number;
  /** Undefined: the default of the mode. */
  workers: number | undefined;
  port: number;
  host: string;
  json: boolean;
  single: boolean;
  board: boolean;
  help: boolean;
}

const KNOWN = {
  nodes: { type: 'string', default: '3' },
  workers: { type: 'string' },
  port: { type: 'string', default: '8080' },
  host: { type: 'string', default: '127.0.0.1' },
  json: { type: 'boolean', default: false },
  single: { type: 'boolean', default: false },
  'no-board': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const number = (name: string, text: string, range: { min: number; max: number }): number => {
  const { min, max } = range;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not "${text}".`);
};

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: KNOWN, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [first] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(
      `${first?.replace(/\.$/, '')}. The options are: ${Object.keys(KNOWN)
        .map((name) => `--${name}`)
        .join(', ')}.`,
      { cause: error },
    );
  }
};

/** Throws a `UsageError` for anything that is not an option of `npm start`. */
export const parseOptions = (args: readonly string[]): LauncherOptions => {
  const values = parse(args);
  return {
    nodes: number('nodes', values.nodes, { min: 1, max: 50 }),
    workers:
      values.workers === undefined ? undefined : number('workers', values.workers, { min: 1, max: 256 }),
    port: number('port', values.port, { min: 0, max: 65_535 }),
    host: values.host,
    json: values.json,
    single: values.single,
    board: !values['no-board'] && !values.single,
    help: values.help,
  };
};
