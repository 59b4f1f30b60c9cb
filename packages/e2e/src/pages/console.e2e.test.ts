import { type Stack, startStack } from '@fanfare/local';
import { eventually, ManagedProcess } from '@fanfare/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealBrowser, startBrowser, type WatchedPage } from './browser.ts';

let owned: AsyncDisposableStack;
let stack: Stack;
let browser: RealBrowser;

beforeAll(async () => {
  owned = new AsyncDisposableStack();
  stack = owned.use(await startStack({ nodes: 2, env: { FANFARE_NAMESPACES: '/,/board' } }));
  browser = owned.use(await startBrowser());
});
afterAll(() => owned.disposeAsync());

const state = (page: Page, phase: string) => page.locator(`#state[data-state="${phase}"]`);
const messages = (page: Page) => page.getByRole('list', { name: 'Messages, newest first' }).locator('li');

const openConsole = async (token: string): Promise<WatchedPage> => {
  const watched = await browser.open(`${stack.url}/#token=${token}`);
  await state(watched.page, 'connected').waitFor();
  return watched;
};

const join = async (page: Page, room: string) => {
  await page.getByLabel('Room to join').fill(room);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await page.getByRole('button', { name: `Leave ${room}` }).waitFor();
};

const send = async (page: Page, button: 'Publish' | 'Signal', event: string, data: unknown) => {
  await page.getByLabel('Room', { exact: true }).fill('public:lobby');
  await page.getByLabel('Event', { exact: true }).fill(event);
  await page.getByLabel('Data JSON').fill(JSON.stringify(data));
  await page.getByRole('button', { name: button }).click();
};

const publishFromBackend = (body: unknown) =>
  fetch(`${stack.url}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('the console page', () => {
  it('connects with the token of its link, and keeps it out of the address bar (row 2)', async () => {
    await using opened = await openConsole(await stack.issueToken({ sub: 'maria' }));
    const { page, errors } = opened;
    expect(page.url()).toBe(`${stack.url}/`);
    await expect.poll(() => page.locator('#fact-transport').textContent()).toBe('polling → websocket');
    expect(await page.locator('#fact-user').textContent()).toBe('maria');
    const session = await page.locator('#fact-session').textContent();
    expect(session).toMatch(/^[\w-]{20}_n[12]$/);
    expect(await page.locator('#fact-node').textContent()).toBe(session?.slice(21));
    expect(errors).toEqual([]);
  });

  it('connects with a token that is typed in, and says why one is refused (row 18)', async () => {
    await using opened = await browser.open(stack.url);
    const { page } = opened;
    await page.getByLabel('Token').fill('not a token');
    await page.getByRole('button', { name: 'Connect' }).click();
    await state(page, 'refused').waitFor();
    expect(await page.locator('#state-text').textContent()).toBe('Refused: token_invalid');
    expect(await page.getByRole('alert').filter({ visible: true }).textContent()).toContain('token_invalid');
    await page.getByLabel('Token').fill(stack.token);
    await page.getByRole('button', { name: 'Connect' }).click();
    await state(page, 'connected').waitFor();
  });

  it('shows what it publishes to a room that it joined, and what a backend does (row 3)', async () => {
    await using opened = await openConsole(await stack.issueToken({ sub: 'maria' }));
    const { page } = opened;
    await join(page, 'public:lobby');
    await send(page, 'Publish', 'message:created', { text: 'hello' });
    const first = messages(page).first();
    await first.getByText('message:created').waitFor();
    expect(await first.textContent()).toMatch(/public:lobby.*\{"text":"hello"\}.*maria.*\d+ ms/s);

    await publishFromBackend({ room: 'public:lobby', event: 'task:created', data: { id: 7 } });
    await messages(page).first().getByText('task:created').waitFor();
    expect(await messages(page).first().textContent()).toMatch(/\{"id":7\}.*backend/s);
    expect(await messages(page).count()).toBe(2);
  });

  it('signals to the others only, and hears nothing of a room that it left (row 14)', async () => {
    await using first = await openConsole(stack.token);
    await using second = await openConsole(stack.token);
    const [a, b] = [first.page, second.page];
    for (const page of [a, b]) await join(page, 'public:lobby');
    await send(a, 'Signal', 'typing', true);
    await messages(b).first().getByText('typing').waitFor();

    await b.getByRole('button', { name: 'Leave public:lobby' }).click();
    await b.getByText('Not in a room yet').waitFor();
    await join(b, 'public:other');
    await send(a, 'Publish', 'message:created', 1);
    await messages(a).first().getByText('message:created').waitFor();
    await publishFromBackend({ room: 'public:other', event: 'marker', data: 1 });
    await messages(b).first().getByText('marker').waitFor();
    expect(await messages(a).count()).toBe(1);
    expect(await messages(b).count()).toBe(2);
  });

  it('shows markup that somebody sends as the text that it is', async () => {
    const hostile = '<img src=x onerror="document.title=\'owned\'">';
    await using opened = await openConsole(await stack.issueToken({ sub: hostile }));
    const { page, errors } = opened;
    await join(page, 'public:lobby');
    await send(page, 'Publish', 'message:created', { text: hostile });
    await messages(page).first().locator('summary').click();
    await messages(page).first().locator('pre').first().waitFor();
    expect(await messages(page).first().locator('pre').first().textContent()).toContain(
      '<img src=x onerror=',
    );
    expect(await page.locator('#fact-user').textContent()).toBe(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('Fanfare console');
    expect(errors).toEqual([]);
  });

  it('asks nobody but its own origin', async () => {
    await using opened = await openConsole(stack.token);
    const { page, requested } = opened;
    await join(page, 'public:lobby');
    await expect.poll(() => page.locator('#fact-transport').textContent()).toContain('websocket');
    const origins = new Set(
      requested.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).host),
    );
    expect([...origins]).toEqual([new URL(stack.url).host]);
    expect(requested.some((url) => url.includes(stack.token))).toBe(false);
  });

  it('refuses data that is not JSON before it is sent', async () => {
    await using opened = await openConsole(stack.token);
    const { page } = opened;
    await page.getByLabel('Data JSON').fill('{ "text": ');
    expect(await page.getByRole('alert').filter({ visible: true }).textContent()).toContain('Not JSON');
    expect(await page.getByLabel('Data JSON').getAttribute('aria-invalid')).toBe('true');
  });

  it('finds, holds and clears what arrived', async () => {
    await using opened = await openConsole(stack.token);
    const { page } = opened;
    await join(page, 'public:lobby');
    for (const event of ['task:created', 'message:created']) await send(page, 'Publish', event, 1);
    await expect.poll(() => messages(page).count()).toBe(2);
    const visible = () => messages(page).filter({ visible: true }).count();
    await page.getByRole('searchbox').fill('TASK');
    await expect.poll(visible).toBe(1);
    await page.getByRole('searchbox').fill('');
    await expect.poll(visible).toBe(2);

    await page.getByRole('button', { name: 'Pause' }).click();
    await send(page, 'Publish', 'task:created', 2);
    await page.getByRole('button', { name: 'Resume (1)' }).click();
    await expect.poll(() => messages(page).count()).toBe(3);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('Nothing has arrived yet').waitFor();
  });

  it('gives the curl line that publishes the same, quotes included', async () => {
    await using opened = await openConsole(stack.token);
    const { page } = opened;
    await join(page, 'public:lobby');
    await page.getByLabel('Room', { exact: true }).fill('public:lobby');
    await page.getByLabel('Data JSON').fill(JSON.stringify({ text: "it's" }));
    const line = await page.locator('#curl').textContent();
    await using shell = await ManagedProcess.start({
      command: 'sh',
      args: ['-c', line ?? ''],
      env: { API_KEY: stack.apiKey },
    });
    expect((await shell.exited).code, shell.output).toBe(0);
    await messages(page).first().getByText(`{"text":"it's"}`).waitFor();
  });

  it('keeps the namespaces of its token apart (row 21)', async () => {
    await using opened = await openConsole(await stack.issueToken({ namespaces: ['/', '/board'] }));
    const { page } = opened;
    await page.getByLabel('Namespace').selectOption('/board');
    await state(page, 'connected').waitFor();
    await join(page, 'public:lobby');
    await publishFromBackend({ room: 'public:lobby', event: 'wrong:one', data: 1 });
    await publishFromBackend({ room: 'public:lobby', event: 'right:one', data: 1, namespace: '/board' });
    await messages(page).first().getByText('right:one').waitFor();
    expect(await messages(page).count()).toBe(1);
  });
});

it('the console comes back on another node, in its rooms, when its node is killed (row 23)', async () => {
  await using doomed = await startStack({ nodes: 2 });
  await using opened = await browser.open(`${doomed.url}/#token=${doomed.token}`);
  const { page } = opened;
  await state(page, 'connected').waitFor();
  await join(page, 'public:lobby');
  const name = await page.locator('#fact-node').textContent();
  const waiting = page.getByText(/^Reconnecting in \d+ s$/).waitFor();
  doomed.nodes.find(({ id }) => id === name)?.process.kill('SIGKILL');
  await waiting;
  await state(page, 'connected').waitFor();
  expect(await page.locator('#fact-node').textContent()).not.toBe(name);
  await eventually(async () => {
    await fetch(`${doomed.url}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${doomed.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ room: 'public:lobby', event: 'back:again', data: 1 }),
    });
    expect(await messages(page).count()).toBeGreaterThan(0);
  });
});
