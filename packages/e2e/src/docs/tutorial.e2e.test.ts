import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { startStack } from '@fanfare/local';
import { eventually, freePort, ManagedProcess } from '@fanfare/testing';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startBrowser } from '../pages/browser.ts';
import { ROOT } from './documents.ts';
import { fencesOf } from './markdown.ts';

/** The two files of the tutorial, made of its snippets in the order of its steps. */
const writeApp = async (dir: string): Promise<void> => {
  const text = await readFile(join(ROOT, 'docs/tutorial.md'), 'utf8');
  const [begin = '', end = '', rejoin = '', ...more] = fencesOf(text, 'js');
  const [page = ''] = fencesOf(text, 'html');
  expect([more, rejoin.includes('room:join')]).toEqual([[], true]);
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  await writeFile(join(dir, 'server.mjs'), begin + end);
  const last = page.lastIndexOf('</script>');
  await writeFile(join(dir, 'index.html'), page.slice(0, last) + rejoin + page.slice(last));
};

const titles = (page: Page) => page.locator('li').allTextContents();

test('docs/tutorial.md: what is written in its five steps updates two windows, and outlives a node (row 6)', async () => {
  const port = await freePort();
  const secret = 'a-secret-of-at-least-32-characters';
  await using cleanup = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-tutorial-'));
  cleanup.defer(() => rm(dir, { recursive: true }));
  await writeApp(dir);
  const stack = cleanup.use(
    await startStack({
      nodes: 2,
      env: { FANFARE_TOKEN_SECRET: secret, FANFARE_CORS_ORIGINS: `http://localhost:${port}` },
    }),
  );
  const app = cleanup.use(
    await ManagedProcess.start({
      command: execPath,
      args: ['server.mjs'],
      cwd: dir,
      env: {
        PORT: String(port),
        FANFARE_URL: stack.url,
        FANFARE_API_KEY: stack.apiKey,
        FANFARE_TOKEN_SECRET: secret,
      },
    }),
  );
  await app.waitForLine((line) => line === `http://localhost:${port}`);
  const browser = cleanup.use(await startBrowser());
  const [one, other] = [
    cleanup.use(await browser.open(`http://localhost:${port}`)),
    cleanup.use(await browser.open(`http://localhost:${port}`)),
  ];
  const add = async (title: string) => {
    await one.page.getByLabel('New task').fill(title);
    await one.page.getByRole('button', { name: 'Add' }).click();
    await one.page.getByText(title).waitFor();
  };

  await add('Sweep');
  await eventually(async () => expect(await titles(other.page)).toEqual(['Sweep']));
  stack.nodes[0]?.process.kill('SIGKILL');
  await add('Dust');
  await add('Rest');
  for (const { page } of [one, other]) {
    await eventually(async () => expect(await titles(page)).toEqual(['Sweep', 'Dust', 'Rest']), {
      timeoutMs: 15_000,
    });
  }
});
