import { fileURLToPath } from 'node:url';
import { freePort, ManagedProcess } from '@fanfare/testing';
import { expect, test } from 'vitest';

test('without its database the board says in one sentence what to do, and exits with 1', async () => {
  const port = await freePort();
  await using board = await ManagedProcess.start({
    command: process.execPath,
    args: ['--conditions=source', fileURLToPath(new URL('main.ts', import.meta.url))],
    name: 'board',
    env: {
      DATABASE_URL: `postgres://board:secret@127.0.0.1:${port}/board`,
      FANFARE_URL: 'http://127.0.0.1:3100',
      FANFARE_API_KEY: '0123456789abcdef',
      FANFARE_TOKEN_SECRET: 'x'.repeat(32),
    },
  });
  expect(await board.exited).toEqual({ code: 1, signal: null });
  expect(board.output.trim()).toBe(
    `The board cannot start without its PostgreSQL (database: connect ECONNREFUSED 127.0.0.1:${port}): start that, or correct DATABASE_URL.`,
  );
});
