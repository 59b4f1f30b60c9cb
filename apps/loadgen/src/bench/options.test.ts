import { describe, expect, it } from 'vitest';
import { BENCH_USAGE, PARTS, parseBenchOptions } from './options.ts';

describe('parseBenchOptions', () => {
  it('measures every part, with fewer rounds and connections when it must be quick', () => {
    const [full, quick] = [parseBenchOptions([]), parseBenchOptions(['--quick'])];
    expect(full).toMatchObject({ parts: PARTS, sockets: 1_000, connections: 10_000 });
    expect(quick).toMatchObject({ parts: PARTS, sockets: 1_000, connections: 2_000, rounds: 3 });
  });

  it('measures one part alone', () => {
    expect(parseBenchOptions(['--only', 'publish'])).toMatchObject({ parts: ['publish'] });
  });

  it.each([
    [['--only', 'everything'], 'the parts are'],
    [['--sockets', '12'], 'multiple of 5'],
    [['--rounds', '0'], 'positive whole number'],
    [['--fast'], '--fast'],
  ])('says what is wrong with %j', (args, problem) => {
    expect(() => parseBenchOptions(args)).toThrow(problem);
  });

  it('explains itself', () => {
    expect(parseBenchOptions(['--help'])).toBe('help');
    for (const part of PARTS) expect(BENCH_USAGE).toContain(part);
  });
});
