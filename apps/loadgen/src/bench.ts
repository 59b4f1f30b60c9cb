// Entry of `npm run bench`.
import { writeFile } from 'node:fs/promises';
import { BENCH_USAGE, parseBenchOptions } from './bench/options.ts';
import { runBench } from './bench/run.ts';
import { renderBenchReport } from './reports/bench-report.ts';
import { renderTable } from './reports/bench-table.ts';

const main = async (): Promise<void> => {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(BENCH_USAGE);
    return;
  }
  let stopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (stopped = true));
  const started = performance.now();
  const result = await runBench(options, (line) => {
    // Unwinds the run, which stops every process that it has started.
    if (stopped) throw new Error('stopped');
    const seconds = String(Math.round((performance.now() - started) / 1_000)).padStart(4);
    process.stderr.write(`${seconds} s  ${line}\n`);
  });
  process.stdout.write(`\n${renderTable(result)}\n`);
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.html) await writeFile(options.html, renderBenchReport(result));
};

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
