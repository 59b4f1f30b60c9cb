import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBinary, ManagedProcess, NGINX, REDIS } from '@fanfare/testing';
import { expect, test } from 'vitest';

const BOOTSTRAP = fileURLToPath(new URL('../../../../bootstrap.mjs', import.meta.url));
const NPM = { names: ['npm'], variable: 'NPM', install: 'it comes with Node' } as const;

/** Stands where the launcher does: tells what it was given, and ends a signal later with a code of its own. */
const LAUNCHER = `
  process.on('SIGINT', () => setTimeout(() => process.exit(7), 50));
  console.log('launched', JSON.stringify(process.argv.slice(2)), process.env.REDIS_SERVER);
  if (process.argv.includes('--stay')) setInterval(() => {}, 1000);
`;

/** A dependency that no registry is asked for, so that npm has something to install. */
const manifests = (version: string) => {
  const own = { name: 'clone', version, dependencies: { part: 'file:part' } };
  const packages = {
    '': own,
    'node_modules/part': { resolved: 'part', link: true },
    part: { version: '1.0.0' },
  };
  return {
    'package.json': own,
    'package-lock.json': { ...own, lockfileVersion: 3, requires: true, packages },
  };
};

const program = (prints: string) => `#!/bin/sh\necho '${prints}'\n`;

/** A fresh clone on a machine with Node, npm, Redis and nginx; `programs` are scripts in place of those. */
const freshClone = async (programs: Record<string, string> = {}) => {
  const root = await mkdtemp(join(tmpdir(), 'fanfare-clone-'));
  const machine = join(root, 'machine');
  const setVersion = async (version: string) => {
    for (const [name, content] of Object.entries(manifests(version))) {
      await writeFile(join(root, name), JSON.stringify(content));
    }
  };
  const launcher = join(root, 'deploy/local/src/main.ts');
  for (const folder of [machine, join(root, 'part'), dirname(launcher)]) {
    await mkdir(folder, { recursive: true });
  }
  await writeFile(join(root, 'part/package.json'), '{"name":"part","version":"1.0.0"}');
  await writeFile(launcher, LAUNCHER);
  await cp(BOOTSTRAP, join(root, 'bootstrap.mjs'));
  await setVersion('1.0.0');
  const installed = { node: process.execPath, npm: await findBinary(NPM), nginx: await findBinary(NGINX) };
  for (const [name, path] of Object.entries(installed)) await symlink(path, join(machine, name));
  if (!programs['redis-server']) await symlink(await findBinary(REDIS), join(machine, 'redis-server'));
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(machine, name), text, { mode: 0o755 });
  }
  const changes = {
    PATH: machine,
    npm_execpath: undefined,
    NGINX_SERVER: undefined,
    REDIS_SERVER: undefined,
  };
  return {
    root,
    machine,
    setVersion,
    run: (args: readonly string[], env: Record<string, string> = {}) =>
      ManagedProcess.start({
        command: process.execPath,
        args: [join(root, 'bootstrap.mjs'), ...args],
        name: 'bootstrap',
        env: { ...changes, ...env },
      }),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
};

type Clone = Awaited<ReturnType<typeof freshClone>>;

const outputOf = async (clone: Clone, args: readonly string[]): Promise<string> => {
  await using bootstrap = await clone.run(args);
  expect(await bootstrap.exited).toEqual({ code: 0, signal: null });
  return bootstrap.output;
};

test('a fresh clone is installed once, then started with its options', async () => {
  await using clone = await freshClone();
  const first = await outputOf(clone, ['start', '--port', '1234']);
  expect(first).toMatch(/Installing the dependencies.*Installed the dependencies in \d+ s\./s);
  expect(first).toContain(`launched ["--port","1234"] ${join(clone.machine, 'redis-server')}`);
  expect(existsSync(join(clone.root, 'node_modules/part/package.json'))).toBe(true);
  expect(await outputOf(clone, ['start'])).toBe(`launched [] ${join(clone.machine, 'redis-server')}`);
});

test('another lockfile is installed, the same one with a later date is not', async () => {
  await using clone = await freshClone();
  const later = new Date(Date.now() + 60_000);
  const touch = () => utimes(join(clone.root, 'package-lock.json'), later, later);
  await outputOf(clone, ['start']);
  await touch();
  expect(await outputOf(clone, ['start'])).not.toContain('Installing');
  await clone.setVersion('2.0.0');
  await touch();
  expect(await outputOf(clone, ['start'])).toContain('Installing');
});

test('a signal reaches what was started, whose end and code are waited for', async () => {
  await using clone = await freshClone();
  await using bootstrap = await clone.run(['start', '--stay']);
  await bootstrap.waitForLine((line) => line.startsWith('launched'));
  bootstrap.kill('SIGINT');
  expect(await bootstrap.exited).toEqual({ code: 7, signal: null });
});

test('valkey serves as Redis where redis-server is too old', async () => {
  await using clone = await freshClone({
    'redis-server': program('Redis server v=6.0.16 sha=00000000:0'),
    'valkey-server': program('Valkey server v=8.0.1 sha=00000000:0'),
  });
  expect(await outputOf(clone, ['start'])).toContain(`launched [] ${join(clone.machine, 'valkey-server')}`);
});

// Where Homebrew is, it would be asked to install Redis.
const hasHomebrew = ['/opt/homebrew/bin/brew', '/usr/local/bin/brew'].some((path) => existsSync(path));

test.skipIf(hasHomebrew)(
  'without Redis one node starts after a notice, and the tests refuse to run',
  async () => {
    await using clone = await freshClone({ 'redis-server': program('Redis server v=6.0.16 sha=00000000:0') });
    const notice = `${join(clone.machine, 'redis-server')} is version 6.0.16, and Redis 7 is needed.`;
    const started = await outputOf(clone, ['start', '--port', '1234']);
    expect(started).toContain(notice);
    expect(started).toContain('launched ["--single","--port","1234"]');
    await using refused = await clone.run(['test']);
    expect((await refused.exited).code).toBe(1);
    expect(refused.output).toContain(notice);
  },
);

test('an unknown command is one sentence', async () => {
  await using clone = await freshClone();
  await using bootstrap = await clone.run(['deploy']);
  expect((await bootstrap.exited).code).toBe(1);
  expect(bootstrap.output).toMatch(/^Usage: node bootstrap\.mjs start\|test\|[a-z|-]+ \[options\]$/);
});
