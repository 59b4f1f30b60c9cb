import { describe, expect, it } from 'vitest';
import { SentLately } from './sent-lately.ts';

describe('what was sent lately', () => {
  it('is known by channel for any part of the last minute', () => {
    const sent = new SentLately();
    sent.add('red', 1000);
    sent.add('red', 1100);
    sent.add('blue', 1100);
    sent.add('red', 1500);
    expect(sent.between(1080, 1200)).toEqual({
      byChannel: new Map([
        ['red', 1],
        ['blue', 1],
      ]),
      others: 0,
    });
    sent.add('red', 61_120);
    expect(sent.between(0, 70_000).byChannel).toEqual(new Map([['red', 2]]));
  });

  it('is a number alone for what is older than 20,000 channels ago', () => {
    const sent = new SentLately();
    for (let i = 0; i < 20_500; i += 1) sent.add(`room:${i}`, i);
    const { byChannel, others } = sent.between(0, 30_000);
    expect(byChannel.size).toBeLessThanOrEqual(20_000);
    expect(byChannel.size + others).toBe(20_500);
  });

  it('is a number alone for a moment with more than 20,000 channels', () => {
    const sent = new SentLately();
    for (let i = 0; i < 50_000; i += 1) sent.add(`room:${i}`, 1000);
    const { byChannel, others } = sent.between(1000, 1000);
    expect(byChannel.size).toBeLessThanOrEqual(20_000);
    expect(byChannel.size + others).toBe(50_000);
  });
});
