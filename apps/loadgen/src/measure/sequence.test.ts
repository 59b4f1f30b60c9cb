import { describe, expect, it } from 'vitest';
import { SequenceTrack } from './sequence.ts';

const hear = (...seqs: number[]): SequenceTrack => {
  const track = new SequenceTrack();
  for (const seq of seqs) track.see(seq);
  return track;
};

describe('SequenceTrack', () => {
  it('finds nothing wrong with a complete stream', () => {
    expect(hear(1, 2, 3).count(3)).toEqual({ received: 3, lost: 0, duplicated: 0, outOfOrder: 0 });
  });

  it('sees a lost message, in the middle and at the end', () => {
    expect(hear(1, 3).count(5)).toEqual({ received: 2, lost: 3, duplicated: 0, outOfOrder: 0 });
    expect(hear().count(2).lost).toBe(2);
  });

  it('sees a doubled message, at once and late', () => {
    expect(hear(1, 1, 2, 3, 1).count(3)).toEqual({ received: 5, lost: 0, duplicated: 2, outOfOrder: 0 });
  });

  it('sees two swapped messages', () => {
    expect(hear(1, 3, 2, 4).count(4)).toEqual({ received: 4, lost: 0, duplicated: 0, outOfOrder: 1 });
  });

  it('counts a late message that comes twice as doubled', () => {
    expect(hear(2, 1, 1).count(2)).toEqual({ received: 3, lost: 0, duplicated: 1, outOfOrder: 1 });
  });

  it('does not miss what the server refused, and takes it when it came all the same', () => {
    expect(hear(1, 3).count(4, new Set([2, 4])).lost).toBe(0);
    expect(hear(1, 2, 3).count(3, new Set([2]))).toMatchObject({ lost: 0, duplicated: 0 });
  });
});
