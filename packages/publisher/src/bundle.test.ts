import { createRequire } from 'node:module';
import { ManagedProcess } from '@fanfare/testing';
import { expect, it } from 'vitest';

const { resolve } = createRequire(import.meta.url);

it('a package that is used with an API key cannot be bundled for a browser', async () => {
  await using bundler = await ManagedProcess.start({
    command: resolve('esbuild/bin/esbuild'),
    args: ['@fanfare/publisher', '--bundle', '--format=esm', '--platform=browser'],
    cwd: import.meta.dirname,
  });
  expect((await bundler.exited).code).toBe(1);
  expect(bundler.output).toContain('explicitly disabled by the package author');
});
