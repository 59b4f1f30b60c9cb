#!/usr/bin/env -S node --conditions=source
import { writeFile } from 'node:fs/promises';
import { parseRunOptions, RUN_USAGE } from './load/options.ts';
import { runLoad } from './load/run.ts';
import { isClean } from './load/run-result.ts';
import { renderRunReport, renderRunTable } from './reports/run-report.ts';

const main = async ([command, ...args]: string[]): Promise<void> => {
  if (command !== 'run' || args.includes('--help')) {
    process.stdout.write(RUN_USAGE);
    process.exitCode = args.includes('--help') ? 0 : 64;
    return;
  }
  const options = parseRunOptions(args);
  const result = await runLoad(options, (line) => void process.stderr.write(`${line}\n`));
  process.stdout.write(`${renderRunTable(result)}\n`);
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.html) await writeFile(options.html, renderRunReport(result));
  process.exitCode = isClean(result) ? 0 : 1;
};

await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
