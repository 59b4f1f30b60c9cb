import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Stack, startStack } from '@fanfare/local';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RealBrowser, startBrowser, type WatchedPage } from './browser.ts';

const HOSTILE = '<img src=x onerror=document.title=1>';

const fileOf = (path: string) => fileURLToPath(new URL(`../../../../examples/${path}`, import.meta.url));

let browser: RealBrowser;
let dir: string;
beforeAll(async () => {
  browser = await startBrowser();
  dir = await mkdtemp(join(tmpdir(), 'fanfare-examples-'));
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const startExample = (name: string, env: Record<string, string> = {}): Promise<Stack> =>
  startStack({
    nodes: 2,
    env: {
      FANFARE_HANDLERS: fileOf(`${name}/handlers.js`),
      FANFARE_PAGES: fileOf(`${name}/page`),
      CHAT_DB: join(dir, 'chat.sqlite'),
      COMMENTS_DB: join(dir, 'comments.sqlite'),
      ...env,
    },
  });

const open = (stack: Stack): Promise<WatchedPage> => browser.open(`${stack.url}/#token=${stack.token}`);

const submit = async (page: Page, label: string, text: string) => {
  await page.getByLabel(label, { exact: true }).fill(text);
  await page.getByLabel(label, { exact: true }).press('Enter');
};

const expectHarmless = async ({ page, errors }: WatchedPage) => {
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).not.toBe('1');
  expect(errors).toEqual([]);
};

it('the greeting page greets back (row 4)', async () => {
  await using stack = await startExample('greeting');
  await using opened = await open(stack);
  await opened.page.getByText('The server: Hello Client').waitFor();
  expect(opened.page.url()).toBe(`${stack.url}/`);
  expect(opened.errors).toEqual([]);
});

it('the chat page joins, talks, lists the users and shows who types for 2 s (rows 29, 30)', async () => {
  await using stack = await startExample('chat');
  await using alice = await open(stack);
  await using bob = await open(stack);
  await submit(alice.page, 'Your name', 'alice');
  await submit(bob.page, 'Your name', HOSTILE);
  const users = alice.page.getByRole('list', { name: 'Users' });
  await users.getByText(HOSTILE).waitFor();
  // Both come in at once, and who is first is not said.
  expect((await users.getByRole('listitem').allTextContents()).toSorted()).toEqual([HOSTILE, 'alice']);

  const typing = alice.page.locator('#typing');
  await bob.page.getByLabel('Message', { exact: true }).pressSequentially('hel');
  await typing.getByText('is typing').waitFor();
  const startedAt = Date.now();
  await expect.poll(() => typing.textContent(), { timeout: 5000 }).toBe('');
  expect(Date.now() - startedAt).toBeLessThan(2500);
  expect(await bob.page.locator('#typing').textContent()).toBe('');

  await submit(bob.page, 'Message', HOSTILE);
  await alice.page.getByRole('log').getByText(`${HOSTILE}${HOSTILE}`).waitFor();
  for (const opened of [alice, bob]) await expectHarmless(opened);
});

it('the dashboard page shows what an administrator writes, everywhere and as text (rows 12, 33)', async () => {
  await using stack = await startExample('dashboard', { FANFARE_NAMESPACES: '/,/dashboard,/admin' });
  await using writer = await open(stack);
  const token = await stack.issueToken({ namespaces: ['/dashboard'] });
  await using reader = await browser.open(`${stack.url}/#token=${token}`);
  await submit(writer.page, 'Comment, as an administrator', HOSTILE);
  for (const opened of [writer, reader]) await opened.page.locator('#comments').getByText(HOSTILE).waitFor();
  expect(await reader.page.getByLabel('Comment, as an administrator').isVisible()).toBe(false);
  await reader.page.reload();
  await reader.page.getByLabel('Token').fill(token);
  await reader.page.getByRole('button', { name: 'Connect' }).click();
  await reader.page.locator('#comments').getByText(HOSTILE).waitFor();
  for (const opened of [writer, reader]) await expectHarmless(opened);
});

it('the hug page hugs one user in private (row 36)', async () => {
  await using stack = await startExample('hug');
  await using alice = await open(stack);
  await using bob = await open(stack);
  await using carol = await open(stack);
  for (const [{ page }, name] of [
    [alice, 'alice'],
    [bob, 'bob'],
    [carol, HOSTILE],
  ] as const) {
    await submit(page, 'Your name', name);
    await page.getByText(`You are ${name}`).waitFor();
  }
  await alice.page.getByRole('button', { name: 'Hug bob' }).click();
  await alice.page.getByText('You hugged bob').waitFor();
  await bob.page.getByText('alice hugged you').waitFor();
  await bob.page.getByRole('button', { name: `Hug ${HOSTILE}` }).click();
  await carol.page.getByText('bob hugged you').waitFor();
  expect(await carol.page.locator('#hugs').textContent()).toBe('bob hugged you');
  for (const opened of [alice, bob, carol]) await expectHarmless(opened);
});
