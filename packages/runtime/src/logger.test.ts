import { describe, expect, it } from 'vitest';
import { createLogger, LOG_LEVELS, type LogLevel } from './logger.ts';
import { Secret } from './secret.ts';

const logTo = (level: LogLevel) => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger(
    { level, bindings: { app: 'gateway', node: 'n1' } },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  return { log, lines };
};

describe('a log line', () => {
  it('has the level by name, the time in ISO form, the bindings, and no more than it was given', () => {
    const { log, lines } = logTo('info');
    log.info({ port: 3000 }, 'listening');
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        app: 'gateway',
        node: 'n1',
        port: 3000,
        msg: 'listening',
      },
    ]);
  });

  it('has an error with its stack and cause, and no secret', () => {
    const { log, lines } = logTo('info');
    log.error(
      { err: new Error('outer', { cause: new Error('inner') }), key: new Secret('hunter2') },
      'failed',
    );
    expect(lines[0]).toMatchObject({ err: { type: 'Error', message: 'outer: inner' }, key: '[redacted]' });
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('is written when its level is the least that is logged or above', () => {
    for (const [i, level] of LOG_LEVELS.entries()) {
      const { log, lines } = logTo(level);
      for (const name of LOG_LEVELS) log[name]('said');
      const expected = LOG_LEVELS.slice(i).filter((name) => name !== 'silent');
      expect(lines.map((line) => line.level)).toEqual(expected);
    }
  });
});
