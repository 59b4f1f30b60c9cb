import { parseArgs } from 'node:util';
import type { Scale } from './attack.ts';
import { findLeaks } from './leaks/run.ts';
import { runHostile } from './run.ts';

const LONG: Scale = { frames: 1_000_000, busMessages: 100_000, nestings: 3, attackers: 40 };
const LEAKS = 'leaks';

const { values, positionals } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    operations: { type: 'string', default: '10000' },
  },
  allowPositionals: true,
});
const seed = Number(values.seed);
const say = (line: string) => process.stderr.write(`${line}\n`);
say(`seed ${seed}`);
const looksForLeaks = positionals.length === 0 || positionals.includes(LEAKS);
const only = positionals.filter((word) => word !== LEAKS);
const leaks = looksForLeaks
  ? await findLeaks({ seed, operations: Number(values.operations), onProgress: say })
  : undefined;
if (leaks !== undefined) {
  say(
    `leaks: ${leaks.wrong.length} in ${leaks.operations} operations ${JSON.stringify(leaks.kinds)}, heard ${leaks.heard}`,
  );
  for (const line of leaks.wrong) say(line);
}
const report =
  positionals.length === 0 || only.length > 0
    ? await runHostile({ seed, scale: LONG, only, calmMs: 5000, judgesLatency: true, onProgress: say })
    : undefined;
const ok = report?.ok !== false && (leaks?.wrong.length ?? 0) === 0;
say(ok ? 'Everything held.' : `Something did not hold: npm run test:hostile -- --seed ${seed} repeats it.`);
process.stdout.write(`${JSON.stringify({ ...report, seed, ok, leaks })}\n`);
process.exitCode = ok ? 0 : 1;
