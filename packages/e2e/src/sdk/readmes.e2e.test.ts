import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, ManagedProcess } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../docs/documents.ts';
import { fencesOf } from '../docs/markdown.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 2 });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Runs the first snippets of a package's README as they stand there, but for the address and the secrets. */
const runSnippets = async (name: string, count = 1): Promise<ManagedProcess> => {
  const all = fencesOf(await readFile(join(ROOT, `packages/${name}/README.md`), 'utf8'), 'ts');
  const program = all
    .slice(0, count)
    .join('\n')
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
  await using client = await runSnippets('client');
  await client.waitForLine((line) => line === 'you: Hello');
  await using publisher = await runSnippets('publisher');
  expect(await publisher.exited).toEqual({ code: 0, signal: null });
  expect(publisher.output).toBe("number 2 in the room's log");
  await eventually(() => expect(client.output).toBe('you: Hello\na backend: Hello'));
});

it('the snippet about presence tells who is there, on whichever node', async () => {
  await using client = await runSnippets('client', 2);
  await client.waitForLine((line) => line === '1 here: you');
  await using sockets = new AsyncDisposableStack();
  for (const { url } of stack.nodes) {
    const token = await stack.issueToken({ sub: 'alice' });
    const alice = sockets.adopt(io(url, { auth: { token }, forceNew: true }), (own) => void own.disconnect());
    await alice.timeout(5000).emitWithAck('room:join', { room: 'public:lobby' });
  }
  await client.waitForLine((line) => line === '2 here: alice,you');
  await sockets.disposeAsync();
  await eventually(() => expect(client.output).toMatch(/2 here: alice,you\n1 here: you$/), {
    timeoutMs: 10_000,
  });
});
