import { parseArgs } from 'node:util';
import { runOutbox } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    moments: { type: 'string', default: '200' },
  },
});
const verdict = await runOutbox({ seed: Number(values.seed), moments: Number(values.moments) });
process.stdout.write(`${JSON.stringify(verdict)}\n`);
process.exitCode = verdict.ok ? 0 : 1;
