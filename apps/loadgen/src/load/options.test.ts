import { describe, expect, it } from 'vitest';
import { parseRunOptions, RUN_USAGE } from './options.ts';

const needed = ['--url', 'http://127.0.0.1:8080', '--token', 't'];

describe('parseRunOptions', () => {
  it('publishes over HTTP when there is an API key, else from a socket', () => {
    expect(parseRunOptions([...needed, '--api-key', 'k']).via).toBe('http');
    expect(parseRunOptions(needed).via).toBe('socket');
  });

  it('sends publishes to the first server unless told otherwise', () => {
    const options = parseRunOptions([...needed, '--url', 'http://127.0.0.1:8081']);
    expect(options.urls.map(({ port }) => port)).toEqual(['8080', '8081']);
    expect(options.apiUrl.port).toBe('8080');
  });

  it('takes seconds and fractions of a rate', () => {
    expect(parseRunOptions([...needed, '--rate', '0.5', '--ramp', '2', '--duration', '10'])).toMatchObject({
      perSecond: 0.5,
      rampMs: 2_000,
      durationMs: 10_000,
    });
  });

  it.each([
    [[], '--url is needed'],
    [['--url', 'http://a'], 'either --token or --token-secret'],
    [[...needed, '--token-secret', 's'], 'either --token or --token-secret'],
    [['--url', 'https://a', '--token', 't'], '--url https://a'],
    [[...needed, '--connections', '1.5'], '--connections 1.5'],
    [[...needed, '--rate', '-1'], '--rate'],
    [[...needed, '--via', 'http'], 'needs --api-key'],
    [[...needed, '--room', 'load:1'], '{n}'],
    [[...needed, '--watch', 'gateway'], 'NAME=PID'],
    [[...needed, '--colour', 'red'], '--colour'],
  ])('says what is wrong with %j', (args, problem) => {
    expect(() => parseRunOptions(args)).toThrow(problem);
  });

  it('explains every option', () => {
    for (const name of ['connect-rate', 'local-addresses', 'watch', 'data-bytes', 'html']) {
      expect(RUN_USAGE).toContain(`--${name}`);
    }
  });
});
