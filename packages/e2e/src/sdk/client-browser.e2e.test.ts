import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, ManagedProcess } from '@fanfare/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RealBrowser, startBrowser } from '../pages/browser.ts';
import { openSession, range } from './session.ts';

let cleanup: AsyncDisposableStack;
let stack: Stack;
let browser: RealBrowser;

/** A page with the client as an app's bundler makes it. */
const writePage = async (dir: string): Promise<void> => {
  await using bundler = await ManagedProcess.start({
    command: createRequire(import.meta.url).resolve('esbuild/bin/esbuild'),
    args: [
      '@fanfare/client',
      '--bundle',
      '--format=iife',
      '--global-name=Fanfare',
      '--platform=browser',
      '--conditions=source',
      `--outfile=${join(dir, 'client.js')}`,
    ],
    cwd: import.meta.dirname,
  });
  if ((await bundler.exited).code !== 0) throw bundler.failure('could not bundle the client');
  await writeFile(
    join(dir, 'index.html'),
    '<!doctype html><title>Page</title><script src="client.js"></script>',
  );
};

beforeAll(async () => {
  cleanup = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-page-'));
  cleanup.defer(() => rm(dir, { recursive: true }));
  await writePage(dir);
  stack = cleanup.use(await startStack({ nodes: 2, env: { FANFARE_PAGES: dir, FANFARE_CONSOLE: 'false' } }));
  browser = cleanup.use(await startBrowser());
});
afterAll(() => cleanup.disposeAsync());

it('a page whose node is killed hears everything once and in order (G2)', async () => {
  await using opened = await browser.open(stack.url);
  const { page } = opened;
  const heard = () => page.evaluate<number[]>('globalThis.heard');
  const node = await page.evaluate<string>(`(async () => {
    globalThis.heard = [];
    globalThis.client = Fanfare.createClient({ token: async () => ${JSON.stringify(stack.token)} });
    await client.join('project:1', { 'test:told': (n) => heard.push(n) }).joined();
    return client.socket.io.engine.id.slice(21);
  })()`);
  const other = stack.nodes.find(({ id }) => id !== node);
  using publisher = openSession(stack, other === undefined ? {} : { node: other.id });
  const publish = async (numbers: number[]) => {
    for (const n of numbers) await publisher.client.publish('project:1', 'test:told', n);
  };

  await publish(range(1, 10));
  stack.nodes.find(({ id }) => id === node)?.process.kill('SIGKILL');
  await publish(range(11, 100));
  await eventually(async () => expect(await heard()).toHaveLength(100), { timeoutMs: 15_000 });
  await publish([101]);
  await eventually(async () => expect((await heard()).at(-1)).toBe(101));

  expect(await heard()).toEqual(range(1, 101));
  expect(opened.requested.some((url) => url.startsWith('ws://'))).toBe(true);
});
