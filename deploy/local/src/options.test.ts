import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';

test('three nodes on 127.0.0.1:8080 are the default', () => {
  expect(parseOptions([])).toEqual({
    nodes: 3,
    workers: undefined,
    port: 8080,
    host: '127.0.0.1',
    json: false,
    single: false,
    board: true,
    help: false,
  });
});

test('every option is read', () => {
  const args = ['--nodes', '5', '--workers=2', '--port', '0', '--host', '::1', '--json', '--single', '-h'];
  expect(parseOptions(args)).toEqual({
    nodes: 5,
    workers: 2,
    port: 0,
    host: '::1',
    json: true,
    single: true,
    board: false,
    help: true,
  });
});

test('the board runs unless it is not asked for', () => {
  expect(parseOptions(['--no-board']).board).toBe(false);
});

test.each([
  [['--prot', '1'], "Unknown option '--prot'. The options are: --nodes, --workers, --port,"],
  [['extra'], "Unexpected argument 'extra'. The options are:"],
  [['--port'], "Option '--port <value>' argument missing. The options are:"],
  [['--nodes', '0'], '--nodes takes a whole number from 1 to 50, not "0".'],
  [['--port', '65536'], '--port takes a whole number from 0 to 65535, not "65536".'],
  [['--workers', 'two'], '--workers takes a whole number from 1 to 256, not "two".'],
])('%j is refused in one sentence', (args, sentence) => {
  expect(() => parseOptions(args)).toThrow(sentence);
});
