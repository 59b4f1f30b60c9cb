import { type Stack, startStack } from '@fanfare/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealBrowser, startBrowser } from './browser.ts';

let owned: AsyncDisposableStack;
let stack: Stack;
let browser: RealBrowser;

beforeAll(async () => {
  owned = new AsyncDisposableStack();
  stack = owned.use(await startStack({ nodes: 2 }));
  browser = owned.use(await startBrowser());
});
afterAll(() => owned.disposeAsync());

describe('the page at /docs', () => {
  it('shows every route without an error and without asking another host', async () => {
    await using opened = await browser.open(`${stack.url}/docs`);
    const { page, requested, errors } = opened;
    for (const name of [
      'Publish an event to a room, or to several',
      'Nodes, connections, users and warnings',
    ]) {
      await page.getByRole('heading', { name }).waitFor();
    }
    expect(errors).toEqual([]);
    expect(requested.filter((address) => !address.startsWith(`${stack.url}/`))).toEqual([]);
  });

  it('publishes with the key that the reader types in', async () => {
    await using opened = await browser.open(`${stack.url}/docs#post-/v1/publish`);
    const { page, errors } = opened;
    await page.getByPlaceholder('api-token').fill(stack.apiKey);
    await page.getByRole('button', { name: 'Set' }).click();
    const answered = page.waitForResponse(`${stack.url}/v1/publish`);
    await page.locator('[id="post-/v1/publish"]').getByRole('button', { name: 'Try' }).click();
    expect((await answered).status()).toBe(200);
    expect(errors).toEqual([]);
  });

  it('leads to the error table', async () => {
    await using opened = await browser.open(`${stack.url}/docs`);
    await opened.page.getByRole('link', { name: 'error table' }).click();
    await opened.page.getByRole('cell', { name: 'unavailable', exact: true }).waitFor();
    expect(opened.errors).toEqual([]);
  });
});
