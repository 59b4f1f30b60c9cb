import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Example, startExample } from '../test/start.ts';
import { openComments } from './comments.js';

let owned: AsyncDisposableStack;
let example: Example;
let path: string;

beforeAll(async () => {
  owned = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-dashboard-'));
  owned.defer(() => rm(dir, { recursive: true, force: true }));
  path = join(dir, 'comments.sqlite');
  example = owned.use(
    await startExample('dashboard', { COMMENTS_DB: path, FANFARE_NAMESPACES: '/,/dashboard,/admin' }),
  );
});
afterAll(() => owned.disposeAsync());

const admin = (url: string, user = 'maria') => example.connect(url, { namespace: '/admin', user });
const dashboard = (url: string) => example.connect(url, { namespace: '/dashboard' });

it('a comment that is inserted shows on the dashboards of all nodes (row 33)', async () => {
  await using writer = await admin(example.nodes[0]);
  await using near = await dashboard(example.nodes[0]);
  await using far = await dashboard(example.nodes[1]);
  const answer = await writer.ask('comment.create', { comment: 'First!' });
  expect(answer).toEqual({ status: 'ok', id: expect.any(Number) });
  for (const client of [near, far]) {
    expect(await client.hears('comment.add')).toEqual({
      id: (answer as { id: number }).id,
      user: 'maria',
      comment: 'First!',
    });
  }
  expect(openComments(path).latest(1)).toMatchObject([{ user: 'maria', comment: 'First!' }]);
});

it('a dashboard begins with what the database holds, whoever put it there (row 33)', async () => {
  const stored = openComments(path).insert('batch', 'written by another program');
  for (const url of example.nodes) {
    await using client = await dashboard(url);
    expect(await client.hears('comments.list')).toEqual(expect.arrayContaining([{ ...stored }]));
  }
});

it('a comment that the database refuses is told to nobody (row 33)', async () => {
  await using writer = await admin(example.nodes[0]);
  await using client = await dashboard(example.nodes[1]);
  for (const comment of ['', '   ', 'x'.repeat(501), 7, undefined]) {
    expect(await writer.ask('comment.create', { comment })).toEqual({
      status: 'error',
      error: expect.any(String),
    });
  }
  await writer.ask('comment.create', { comment: 'a good one' });
  await client.hears('comment.add');
  expect(client.heard('comment.add')).toHaveLength(1);
});

it('a dashboard can only listen, and hears nothing of /admin (rows 21, 33)', async () => {
  await using client = await dashboard(example.nodes[0]);
  expect(await client.ask('comment.create', { comment: 'let me in' })).toMatchObject({
    ok: false,
    error: { code: 'unknown_event' },
  });
  await using writer = await admin(example.nodes[0]);
  await writer.ask('comment.create', { comment: 'for dashboards' });
  await client.hears('comment.add');
  expect(writer.heard('comment.add')).toEqual([]);
});

it('a token for /dashboard does not open /admin (row 21)', async () => {
  const token = await example.stack.issueToken({ namespaces: ['/dashboard'] });
  await using client = await example.client(example.nodes[1], { namespace: '/admin', token });
  expect(await client.hears('connect_error')).toMatchObject({ data: { code: 'forbidden' } });
});
