import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const importsOf = async (file: string): Promise<string[]> => {
  const text = await readFile(join(import.meta.dirname, file), 'utf8');
  return Array.from(text.matchAll(/from '([^']+)'/g), ([, name = '']) => name);
};

test('no route knows a server, a socket or the composition of the board (row 11)', async () => {
  const files: string[] = [];
  for await (const file of glob('*/*routes.ts', { cwd: import.meta.dirname })) files.push(file);
  expect(files.length).toBeGreaterThan(6);
  const forbidden =
    /^(node:http|socket\.io|@fanfare\/publisher$|\.\.\/(board|main)\.ts$|\.\.\/http\/app\.ts$)/;
  for (const file of files) {
    expect([file, (await importsOf(file)).filter((name) => forbidden.test(name))]).toEqual([file, []]);
  }
});

test('the page takes nothing from the backend but types', async () => {
  for await (const file of glob('page/**/*.{ts,tsx}', { cwd: import.meta.dirname })) {
    const depth = file.split('/').length - 1;
    const outside = (await importsOf(file)).filter((name) => name.startsWith('../'.repeat(depth)));
    expect([file, outside.filter((name) => !name.endsWith('/contract.ts'))]).toEqual([file, []]);
  }
});

test('of Fanfare it uses what any product can use: the client, the publisher and its outbox', async () => {
  const used = new Set<string>();
  for await (const file of glob('**/*.{ts,tsx}', { cwd: import.meta.dirname })) {
    if (file.endsWith('.test.ts')) continue;
    for (const name of await importsOf(file)) if (name.startsWith('@fanfare/')) used.add(name);
  }
  expect([...used].sort()).toEqual([
    '@fanfare/client',
    '@fanfare/client/react',
    '@fanfare/publisher',
    '@fanfare/publisher/outbox',
  ]);
});
