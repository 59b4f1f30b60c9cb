import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiSettings } from '@fanfare/api/config';
import { gatewaySettings } from '@fanfare/gateway/config';
import { eventsTable, publishTable } from './contract-tables.ts';
import { errorsTable } from './errors-table.ts';
import { importsTable } from './imports-table.ts';
import { apiMetricsTable, gatewayMetricsTable } from './metrics-tables.ts';
import { routesTable } from './routes-table.ts';
import { settingsTable } from './settings-table.ts';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

export interface MarkdownFile {
  /** From the root of the repository. */
  path: string;
  text: string;
}

/** Every Markdown file of the repository. */
export async function readDocuments(): Promise<MarkdownFile[]> {
  const files: MarkdownFile[] = [];
  const exclude = (path: string) => /(^|\/)(node_modules|dist|\.[^/]+)$/.test(path);
  for await (const path of glob('**/*.md', { cwd: ROOT, exclude })) {
    files.push({ path, text: await readFile(join(ROOT, path), 'utf8') });
  }
  return files.sort((a, b) => a.path.localeCompare(b.path));
}

/** What the code says today, by the name of the block that shows it. */
export async function generateBlocks(): Promise<Readonly<Record<string, string>>> {
  return {
    'gateway-settings': settingsTable(gatewaySettings),
    'api-settings': settingsTable(apiSettings),
    errors: errorsTable(),
    events: eventsTable(),
    'publish-request': publishTable(),
    routes: await routesTable(),
    imports: await importsTable(ROOT),
    'gateway-metrics': await gatewayMetricsTable(),
    'api-metrics': await apiMetricsTable(),
  };
}
