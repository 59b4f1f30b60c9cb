import { parseArgs } from 'node:util';
import type { Scale } from './attack.ts';
import { runHostile } from './run.ts';

const LONG: Scale = { frames: 1_000_000, busMessages: 100_000, nestings: 3, attackers: 40 };

const { values, positionals } = parseArgs({
  options: { seed: { type: 'string', default: String(Date.now() % 1_000_000) } },
  allowPositionals: true,
});
const seed = Number(values.seed);
const say = (line: string) => process.stderr.write(`${line}\n`);
say(`seed ${seed}`);
const report = await runHostile({
  seed,
  scale: LONG,
  only: positionals,
  calmMs: 5000,
  judgesLatency: true,
  onProgress: say,
});
say(
  report.ok
    ? 'Everything held.'
    : `Something did not hold: npm run test:hostile -- --seed ${seed} repeats it.`,
);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.ok ? 0 : 1;
