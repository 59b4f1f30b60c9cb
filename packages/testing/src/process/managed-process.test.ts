import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { ManagedProcess } from './managed-process.ts';

const node = (script: string, options: Partial<Parameters<typeof ManagedProcess.start>[0]> = {}) =>
  ManagedProcess.start({ command: process.execPath, args: ['-e', script], name: 'child', ...options });

const FOREVER = 'setInterval(() => {}, 1000)';

test('a line is found whether it was written before or after the question', async () => {
  await using child = await node(
    `console.log('one'); setTimeout(() => console.error('two'), 50); ${FOREVER}`,
  );
  expect(await child.waitForLine((line) => line === 'two')).toBe('two');
  expect(await child.waitForLine((line) => line === 'one')).toBe('one');
});

test('waiting for a line fails with the output of a process that ended without it', async () => {
  await using child = await node(`console.log('the reason'); process.exitCode = 3`);
  await expect(child.waitForLine((line) => line === 'never')).rejects.toThrow(
    'child ended with code 3. Its output:\nthe reason',
  );
});

test('waiting for a line fails in bounded time when it does not come', async () => {
  await using child = await node(FOREVER);
  await expect(child.waitForLine(() => true, { timeoutMs: 20 })).rejects.toThrow(
    'child did not write the expected line within 20 ms.',
  );
});

test('the exit tells the code or the signal', async () => {
  await using coded = await node('process.exitCode = 7');
  await using killed = await node(FOREVER);
  killed.kill('SIGKILL');
  expect(await coded.exited).toEqual({ code: 7, signal: null });
  expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a process that ignores SIGTERM is gone after the bound', async () => {
  const child = await node(`process.on('SIGTERM', () => {}); console.log('up'); ${FOREVER}`, {
    killAfterMs: 50,
  });
  await child.waitForLine((line) => line === 'up');
  expect(await child.stop()).toEqual({ code: null, signal: 'SIGKILL' });
});

test('SIGKILL takes the children of a detached process with it', async () => {
  await using parent = await node(
    `const { pid } = require('node:child_process').spawn(process.execPath, ['-e', '${FOREVER}']);
     console.log('child', pid); ${FOREVER}`,
    { detached: true },
  );
  const line = await parent.waitForLine((text) => text.startsWith('child'));
  const pid = Number(line.split(' ')[1]);
  parent.kill('SIGKILL');
  await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
});

test('a process and its folder go when their owner is killed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-owned-'));
  const module = pathToFileURL(join(import.meta.dirname, 'managed-process.ts'));
  const owned = { command: process.execPath, args: ['-e', FOREVER], dir };
  await using owner = await ManagedProcess.start({
    command: process.execPath,
    args: [
      '--input-type=module',
      '-e',
      `import { ManagedProcess } from '${module}';
       const { pid } = await ManagedProcess.start(${JSON.stringify(owned)});
       console.log('owned', pid);`,
    ],
  });
  const line = await owner.waitForLine((text) => text.startsWith('owned'));
  const pid = Number(line.split(' ')[1]);
  expect(process.kill(pid, 0)).toBe(true);
  owner.kill('SIGKILL');
  await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
  await eventually(() => expect(existsSync(dir)).toBe(false));
});

test('env adds to the inherited environment and removes from it', async () => {
  await using child = await node('console.log(process.env.ADDED, process.env.HOME, "PATH" in process.env)', {
    env: { ADDED: 'yes', HOME: undefined },
  });
  expect(await child.waitForLine(() => true)).toBe('yes undefined true');
});

test('a program that does not exist is named', async () => {
  await expect(ManagedProcess.start({ command: '/no/such/program' })).rejects.toThrow(
    '/no/such/program could not be started.',
  );
});

test('a folder that does not exist is named, and not the program', async () => {
  await expect(node('', { cwd: '/no/such/folder' })).rejects.toThrow(
    'could not be started: its folder /no/such/folder is not there.',
  );
});
