import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateBlocks, ROOT, readDocuments } from './documents.ts';
import { withBlocks } from './markdown.ts';

/** `npm run docs`: brings every generated block of the documents up to date. */
const blocks = await generateBlocks();
for (const { path, text } of await readDocuments()) {
  const current = withBlocks(text, blocks);
  if (current === text) continue;
  await writeFile(join(ROOT, path), current);
  process.stdout.write(`${path} is up to date now\n`);
}
