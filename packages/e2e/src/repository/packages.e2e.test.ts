import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ManagedProcess, type ProcessOptions } from '@fanfare/testing';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** What an app does with the packages, without their sources. */
const APP = `
  import { createClient } from '@fanfare/client';
  import { createPublisher } from '@fanfare/publisher';
  import { outboxSql, writeOutbox } from '@fanfare/publisher/outbox';
  import { fanout } from '@fanfare/fanout';
  // Node 20 has none of these.
  for (const name of ['withResolvers', 'try']) delete Promise[name];
  delete Object.groupBy;
  delete Map.groupBy;
  delete Array.fromAsync;
  const rooms = ['b:1', 'a:1', 'b:1'];
  const query = async (_, [rows]) => console.log(JSON.parse(rows).map(({ room, data }) => room + '=' + data).join());
  await writeOutbox({ query }, rooms.map((room, data) => ({ room, event: 'task:created', data })));
  const hasOutbox = outboxSql().includes('CREATE SCHEMA');
  console.log([createClient, createPublisher, fanout].map((one) => typeof one).join(), hasOutbox);
`;

const run = async (options: ProcessOptions): Promise<string> => {
  await using child = await ManagedProcess.start(options);
  if ((await child.exited).code !== 0) throw child.failure('failed');
  return child.output;
};

it('the archives of `npm run packages` work in an app that has none of this repository', async () => {
  await using stack = new AsyncDisposableStack();
  const app = await mkdtemp(join(tmpdir(), 'fanfare-app-'));
  stack.defer(() => rm(app, { recursive: true }));
  const stale = join(ROOT, 'packages/client/dist/stale.js');
  await mkdir(dirname(stale), { recursive: true });
  await writeFile(stale, '// Of a source that is no more.');
  await run({
    command: 'npm',
    args: ['run', 'packages'],
    cwd: ROOT,
    env: { npm_config_update_notifier: 'false' },
  });
  const modules = join(app, 'node_modules');
  const archives = (await readdir(join(ROOT, 'dist'))).filter((name) => name.endsWith('.tgz')).sort();
  expect(archives.map((name) => name.replace(/-[\d.]+tgz$/, ''))).toEqual(
    ['client', 'fanout', 'protocol', 'publisher'].map((name) => `fanfare-${name}`),
  );
  for (const archive of archives) {
    const target = join(modules, '@fanfare', archive.split('-')[1] ?? '');
    await mkdir(target, { recursive: true });
    await run({
      command: 'tar',
      args: ['-xzf', join(ROOT, 'dist', archive), '-C', target, '--strip-components=1'],
    });
  }
  expect(await readdir(join(modules, '@fanfare/client/dist'))).not.toContain('stale.js');
  for (const name of ['zod', 'socket.io-client', 'socket.io'])
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  await writeFile(join(app, 'app.mjs'), APP);
  const told = await run({ command: execPath, args: ['app.mjs'], cwd: app });
  expect(told.split('\n')).toEqual(['a:1=1,b:1=0,b:1=2', 'function,function,function true']);
});
