import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKey } from './address-key.ts';
import { Meter, Meters, take } from './bucket.ts';

describe('a token bucket', () => {
  it('gives no more than its burst and its rate together, and what it may', () => {
    const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        (perSecond, burst, gaps) => {
          const meter = new Meter();
          const rate = { perSecond, burst };
          let tokens = burst;
          let now = 1000;
          for (const gap of gaps) {
            now += gap;
            tokens = Math.min(burst, tokens + (gap * perSecond) / 1000);
            const waitMs = take(meter, 'events', { rate, cost: 1, now });
            // Equal but for what the arithmetic leaves.
            if (Math.abs(tokens - 1) > 1e-6) expect(waitMs === 0).toBe(tokens > 1);
            if (waitMs === 0) tokens -= 1;
            else expect(waitMs).toBeCloseTo(((1 - tokens) / perSecond) * 1000, 3);
          }
        },
      ),
    );
  });

  it('pays what is dearer than it holds, and is in debt for it', () => {
    const meter = new Meter();
    const spending = { rate: { perSecond: 10, burst: 5 }, cost: 20, now: 0 };
    expect(take(meter, 'bytes', spending)).toBe(0);
    expect(take(meter, 'bytes', { ...spending, now: 1500 })).toBe(100);
    expect(take(meter, 'bytes', { ...spending, now: 1600 })).toBe(0);
  });
});

describe('meters by key', () => {
  it('are kept while they are used and forgotten when nobody has for a while', () => {
    const meters = new Meters<string>(() => new Map(), 1000);
    const alice = meters.of('alice', 5000);
    meters.of('bob', 5000).events = 1;
    expect(meters.of('alice', 6500)).toBe(alice);
    expect(meters.of('alice', 7900)).toBe(alice);
    expect(meters.of('bob', 7900).events).toBe(0);
  });

  it('hold no more than two generations of very many keys', () => {
    const meters = new Meters<string>(() => new Map(), 1e9);
    const first = meters.of('0', 1);
    for (let n = 0; n < 250_000; n += 1) meters.of(String(n), 1);
    expect(meters.of('0', 1)).not.toBe(first);
  });
});

describe('the key of an address', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::', 'fe80:0:0:0::/64'],
  ])('%s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
