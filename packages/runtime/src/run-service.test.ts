import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startService } from '../test/start-service.ts';

const GOOD = { FANFARE_TOKEN_SECRET: 'a secret that is long enough' };

describe('a process', () => {
  it('ends with 78 and one message that has every problem', async () => {
    await using service = startService({ FANFARE_PORT: '70000', FANFARE_TOKEN_SECERT: 'x', REDIS_URL: '' });
    expect(await service.ended).toEqual({
      code: 78,
      signal: null,
      stderr: [
        'The configuration has 3 problems:',
        '  - FANFARE_PORT: expected a whole number from 0 to 65535, got "70000"',
        '  - FANFARE_TOKEN_SECRET is not set',
        '  - FANFARE_TOKEN_SECERT is not a setting of this process: did you mean FANFARE_TOKEN_SECRET?',
        '',
      ].join('\n'),
    });
    expect(service.stdout).toEqual([]);
  });

  it('ends with 1 and one sentence when its port is taken', async () => {
    await using taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await using service = startService({ ...GOOD, FANFARE_PORT: String(port) });
    expect(await service.ended).toMatchObject({
      code: 1,
      stderr: `Port ${port} on 127.0.0.1 is taken: stop what uses it or set FANFARE_PORT to another one.\n`,
    });
    expect(service.stdout).toEqual(['starting', 'disposed']);
  });

  it('ends with 1 and a stack when the program itself is wrong', async () => {
    await using service = startService({ ...GOOD, FANFARE_START: 'throws' });
    const { code, stderr } = await service.ended;
    expect(code).toBe(1);
    expect(stderr).toContain('TypeError: a mistake in the program');
    expect(stderr).toContain('service.ts');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('drains, disposes and ends with 0 on %s', async (signal) => {
    await using service = startService(GOOD);
    await service.line('listening');
    service.kill(signal);
    expect(await service.ended).toEqual({ code: 0, signal: null, stderr: '' });
    expect(service.stdout.slice(-2)).toEqual(['draining', 'disposed']);
  });

  it('ends at once when the same signal comes again', async () => {
    await using service = startService({ ...GOOD, FANFARE_DRAIN: 'never' });
    await service.line('listening');
    service.kill('SIGTERM');
    await service.line('draining');
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 1, stderr: '' });
    expect(service.stdout).not.toContain('disposed');
  });

  it('goes on draining when the other signal comes, as it does to a worker whose node got Ctrl-C', async () => {
    await using service = startService({ ...GOOD, FANFARE_DRAIN: 'until stdin ends' });
    await service.line('listening');
    service.kill('SIGINT');
    await service.line('draining');
    service.kill('SIGTERM');
    await service.line('heard SIGTERM');
    service.endStdin();
    expect(await service.ended).toMatchObject({ code: 0 });
    expect(service.stdout).toContain('disposed');
  });

  it.each([
    ['drain', 'listening', { FANFARE_DRAIN: 'never' }],
    ['start', 'starting', { FANFARE_START: 'until stdin ends' }],
  ])('ends with 1 when a %s outlasts FANFARE_SHUTDOWN_MS after the signal', async (_phase, line, env) => {
    await using service = startService({ ...GOOD, ...env, FANFARE_SHUTDOWN_MS: '100' });
    await service.line(line);
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 1, signal: null });
  });
});

describe('--check-config', () => {
  it('says that all is good and what is not a setting, and starts nothing', async () => {
    await using service = startService({ ...GOOD, FANFARE_PROT: '1' }, ['--check-config']);
    expect(await service.ended).toEqual({ code: 0, signal: null, stderr: '' });
    expect(service.stdout).toEqual([
      'Warning: FANFARE_PROT is not a setting of this process: did you mean FANFARE_PORT?',
      'The configuration is good.',
    ]);
  });

  it('ends with 78 when it is not', async () => {
    await using service = startService({}, ['--check-config']);
    expect(await service.ended).toMatchObject({
      code: 78,
      stderr: 'The configuration has a problem:\n  - FANFARE_TOKEN_SECRET is not set\n',
    });
  });
});

describe('--print-config', () => {
  it('prints what is in use without any secret, and starts nothing', async () => {
    await using service = startService({ ...GOOD, REDIS_URL: 'redis://user:pass@redis:6379/1' }, [
      '--print-config',
    ]);
    expect(await service.ended).toEqual({ code: 0, signal: null, stderr: '' });
    expect(JSON.parse(service.stdout.join('\n'))).toMatchObject({
      http: { host: '127.0.0.1', port: 0 },
      tokenSecret: '[redacted]',
      redisUrl: 'redis://[redacted]@redis:6379/1',
      shutdownMs: 60_000,
    });
    expect(service.stdout.join('\n')).not.toMatch(/long enough|pass/);
  });
});
