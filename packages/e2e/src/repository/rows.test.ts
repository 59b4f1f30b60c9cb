import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** The acceptance rows that are built; each has a test that names it. */
const ROWS = {
  1: 'HTTP and Socket.IO on one port',
  2: 'a page and the client library from that port',
  3: 'named events in both directions',
  4: 'greeting exchange',
  5: 'welcome with the online count of the cluster',
  6: 'a room for each task board',
  7: 'a row is there before its event',
  8: 'no event before its transaction has committed',
  9: 'routes and events of the board',
  10: 'forms and accounts over HTTP',
  11: 'routes that know no server',
  12: 'no client asks again and again',
  13: 'websocket first, long-polling as fallback, upgrade',
  14: 'the seven broadcast patterns',
  15: 'private stays private',
  16: 'scale over servers with Redis',
  17: 'sticky sessions at the balancer',
  18: 'handshake auth',
  19: 'what a handshake holds',
  20: 'middleware and Express sessions in their order',
  21: 'namespaces separate features',
  22: 'rooms and namespaces are cleaned up',
  23: 'reconnect with nothing missed',
  24: 'binary payloads',
  25: 'acks with ok and error',
  26: 'CORS',
  27: 'disconnect reasons',
  28: 'chat with a list of users',
  29: 'typing that stops',
  30: 'a chat that shows text as text',
  31: 'React in StrictMode',
  32: 'message.send comes back as message.sent',
  33: 'live dashboard from a database',
  34: 'readiness with the database',
  35: 'lifecycle of users',
  36: 'private hug',
  37: 'notifications, and when not to use it',
  C1: 'stateless gateways behind nginx',
  C2: 'an api without sockets that reaches every node',
  C3: 'several workers per node',
  C4: 'compose, k8s and nginx files',
  C5: 'artillery scenarios',
  C6: 'logs as JSON',
} as const;

/** `(row 14)`, `(rows 13, 17, C1)`, `(C4)`, at the end of the name of a test. */
const MARK = /\((rows? \d+(?:, (?:\d+|C\d))*|C\d(?:, C\d)*)\)(?=(?: \([^()]*\))*['"`],)/g;

const rowsNamedIn = (text: string): string[] =>
  [...text.matchAll(MARK)].flatMap(([, list = '']) => list.replace(/^rows? /, '').split(', '));

/** All names of rows in the test files of the repository. */
const namedRows = async (): Promise<Set<string>> => {
  const named = new Set<string>();
  const files = glob('{apps,packages,deploy,examples}/**/*.test.ts', {
    cwd: ROOT,
    exclude: (name) => name === 'node_modules' || name === 'dist',
  });
  for await (const file of files) {
    for (const row of rowsNamedIn(await readFile(ROOT + file, 'utf8'))) named.add(row);
  }
  return named;
};

test('a row is found in a name alone, in lists and in several marks, and nowhere else', () => {
  expect(rowsNamedIn(`test('hears it (row 14)', async`)).toEqual(['14']);
  expect(rowsNamedIn(`test("it's told (rows 13, 17, C1)", async`)).toEqual(['13', '17', 'C1']);
  expect(rowsNamedIn(`  'reaches all (row 16) (C2, C3)',\n  async`)).toEqual(['16', 'C2', 'C3']);
  expect(rowsNamedIn('// as of (row 14), and (1) or (C)')).toEqual([]);
});

test('every acceptance row has a test that names it', async () => {
  const named = await namedRows();
  const untested = Object.entries(ROWS).filter(([row]) => !named.has(row));
  expect(untested).toEqual([]);
});
