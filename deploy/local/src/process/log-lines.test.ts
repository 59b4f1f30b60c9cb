import { expect, test } from 'vitest';
import { jsonLine, type LogLine, readableLine } from './log-lines.ts';

const line = (process: string, text: string, stream: LogLine['stream'] = 'stdout'): LogLine => ({
  process,
  stream,
  text,
});

const record = (level: string) =>
  JSON.stringify({
    level,
    time: '2026-01-01T00:00:00Z',
    app: 'gateway',
    node: 'n1',
    msg: 'happened',
    count: 2,
  });

test('a record is readable with its level, message and own fields, from the threshold on', () => {
  expect(readableLine(line('n1', record('warn')), 'warn')).toBe('n1  warn: happened  {"count":2}');
  expect(readableLine(line('n1', record('info')), 'warn')).toBeUndefined();
});

test("what a team's handler prints by hand and what a crash says is shown at any threshold up to warnings", () => {
  expect(readableLine(line('n1', 'Hello Server'), 'warn')).toBe('n1  Hello Server');
  expect(readableLine(line('n1', 'TypeError: x', 'stderr'), 'error')).toBe('n1  TypeError: x');
});

test('of nginx only warnings and errors are shown, of Redis nothing', () => {
  expect(readableLine(line('nginx', '2026/01/01 [error] 1#1: connect() failed', 'stderr'), 'warn')).toContain(
    'connect() failed',
  );
  expect(readableLine(line('nginx', '2026/01/01 [notice] 1#1: start', 'stderr'), 'warn')).toBeUndefined();
  expect(readableLine(line('redis', '1:M # WARNING overcommit'), 'warn')).toBeUndefined();
});

test('as JSON a record stays as it is and other lines become records', () => {
  expect(jsonLine(line('n1', record('info')), 'info')).toBe(record('info'));
  expect(JSON.parse(jsonLine(line('redis', 'Ready to accept connections'), 'info') ?? '')).toMatchObject({
    level: 'info',
    app: 'redis',
    msg: 'Ready to accept connections',
  });
  expect(jsonLine(line('n1', '{"not": "a record"}'), 'info')).toContain('"app":"n1"');
});
