// Turns the JSON of an Artillery run into a page: artillery-report.ts IN.json OUT.html [TITLE]
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { artilleryOutput, renderArtilleryReport } from './reports/artillery.ts';

const [input, output, title] = process.argv.slice(2);
if (input === undefined || output === undefined) {
  process.stderr.write('Usage: artillery-report.ts IN.json OUT.html [TITLE]\n');
  process.exitCode = 64;
} else {
  const parsed = artilleryOutput.parse(JSON.parse(await readFile(input, 'utf8')));
  await writeFile(output, renderArtilleryReport(parsed, title ?? `Artillery: ${basename(input, '.json')}`));
}
