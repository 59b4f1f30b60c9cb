import { parseArgs } from 'node:util';

export const PARTS = ['delivery', 'connections', 'publish', 'publishCost'] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  quick: boolean;
  parts: readonly Part[];
  json: string | undefined;
  html: string | undefined;
  /** Connections to each server while deliveries are measured; a multiple of 5. */
  sockets: number;
  rounds: number;
  passMs: number;
  /** Connections of the idle and connection measurements. */
  connections: number;
  connectionRounds: number;
  publishMs: number;
  publishPerSecond: number;
}

export const BENCH_USAGE = `npm run bench -- [options]

  --quick             everything in under 3 minutes, fewer rounds and connections
  --json FILE         write the figures as JSON
  --html FILE         write a report with charts: one file, no network
  --only NAME         one part: ${PARTS.join(', ')}
  --sockets N         connections per server while deliveries are measured (1000)
  --rounds N          turns of each server (9; quick 3)
  --pass-ms MS        length of one turn (3000; quick 1000)
  --connections N     connections of the idle measurement (10000; quick 2000)
  --connection-rounds N  turns of the idle measurement (5; quick 2)
  --publish-ms MS     length of each latency measurement (60000; quick 5000)
`;

/** Throws a sentence for the user when the arguments cannot be used. */
export const parseBenchOptions = (args: string[]): BenchOptions | 'help' => {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      json: text,
      html: text,
      only: text,
      sockets: text,
      rounds: text,
      'pass-ms': text,
      connections: text,
      'connection-rounds': text,
      'publish-ms': text,
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  const number = (
    name: 'sockets' | 'rounds' | 'pass-ms' | 'connections' | 'connection-rounds' | 'publish-ms',
    preset: number,
  ) => wholeNumber(name, values[name], preset);
  const parts = PARTS.filter((part) => values.only === undefined || values.only === part);
  if (parts.length === 0) throw new Error(`--only ${values.only}: the parts are ${PARTS.join(', ')}`);
  const sockets = number('sockets', 1_000);
  if (sockets % 5 !== 0)
    throw new Error('--sockets must be a multiple of 5: the small rooms have five members');
  return {
    quick,
    parts,
    json: values.json,
    html: values.html,
    sockets,
    rounds: number('rounds', quick ? 3 : 9),
    passMs: number('pass-ms', quick ? 1_000 : 3_000),
    connections: number('connections', quick ? 2_000 : 10_000),
    connectionRounds: number('connection-rounds', quick ? 2 : 5),
    publishMs: number('publish-ms', quick ? 5_000 : 60_000),
    publishPerSecond: 100,
  };
};

/** A positive whole number from a command-line option. */
const wholeNumber = (name: string, given: string | undefined, preset: number): number => {
  if (given === undefined) return preset;
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new Error(`--${name} ${given}: expected a positive whole number`);
  return Number(given);
};
