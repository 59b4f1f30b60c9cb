import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { findBinary } from './binaries.ts';

const PROGRAM = {
  names: ['fanfare-no-such', 'fanfare-other-name'],
  variable: 'FANFARE_TEST_PROGRAM',
  install: 'install it with "apt-get install -y something"',
} as const;

const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'fanfare-path-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
};

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a missing program fails with one sentence that says how to get it', async () => {
  await expect(findBinary(PROGRAM)).rejects.toThrow(
    'fanfare-no-such or fanfare-other-name was not found: install it with "apt-get install -y something".',
  );
});

test('any of its names is found on PATH, executable files only', async () => {
  await using folder = await temporaryFolder();
  vi.stubEnv('PATH', `${join(folder.path, 'a')}:${join(folder.path, 'b')}`);
  for (const name of ['a', 'b']) await mkdir(join(folder.path, name));
  await writeFile(join(folder.path, 'a', 'fanfare-other-name'), '', { mode: 0o644 });
  await writeFile(join(folder.path, 'b', 'fanfare-other-name'), '', { mode: 0o755 });
  expect(await findBinary(PROGRAM)).toBe(join(folder.path, 'b', 'fanfare-other-name'));
});

test('the variable wins over PATH, and a wrong one is named', async () => {
  vi.stubEnv('FANFARE_TEST_PROGRAM', process.execPath);
  expect(await findBinary(PROGRAM)).toBe(process.execPath);
  vi.stubEnv('FANFARE_TEST_PROGRAM', '/nowhere');
  await expect(findBinary(PROGRAM)).rejects.toThrow('FANFARE_TEST_PROGRAM is /nowhere');
});
