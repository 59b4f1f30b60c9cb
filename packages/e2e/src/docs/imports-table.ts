import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { code, table } from './markdown.ts';

const rules = z.object({
  boundaries: z.object({
    tags: z.record(
      z.string(),
      z.object({ dependencies: z.object({ allow: z.array(z.string()) }).optional() }),
    ),
  }),
});

/** Who may import whom, by the tags that `turbo boundaries` checks. */
export async function importsTable(root: string): Promise<string> {
  const { boundaries } = rules.parse(JSON.parse(await readFile(join(root, 'turbo.json'), 'utf8')));
  const rows = Object.entries(boundaries.tags).flatMap(([tag, { dependencies }]) =>
    dependencies === undefined ? [] : [[code(tag), dependencies.allow.map(code).join(', ') || 'nothing']],
  );
  return table(['Workspace', 'May import'], rows);
}
