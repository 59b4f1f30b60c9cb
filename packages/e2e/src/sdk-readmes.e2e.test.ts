import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, ManagedProcess } from '@fanfare/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from './docs/documents.ts';
import { fencesOf } from './docs/markdown.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 2 });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Runs the first snippet of a package's README as it stands there, but for the address and the secrets. */
const runSnippet = async (name: string): Promise<ManagedProcess> => {
  const [snippet = ''] = fencesOf(await readFile(join(ROOT, `packages/${name}/README.md`), 'utf8'), 'ts');
  const program = snippet
    .replaceAll('http://localhost:8080', stack.url)
    .replaceAll('TOKEN', stack.token)
    .replaceAll('API_KEY', stack.apiKey);
  return ManagedProcess.start({
    command: execPath,
    args: ['--conditions=source', '--input-type=module-typescript', '--eval', program],
    cwd: import.meta.dirname,
    name: `${name}/README.md`,
  });
};

it('the snippets of the READMEs do what they say', async () => {
  await using client = await runSnippet('client');
  await client.waitForLine((line) => line === 'you: Hello');
  await using publisher = await runSnippet('publisher');
  expect(await publisher.exited).toEqual({ code: 0, signal: null });
  expect(publisher.output).toBe("number 2 in the room's log");
  await eventually(() => expect(client.output).toBe('you: Hello\na backend: Hello'));
});
