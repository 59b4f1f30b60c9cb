import { describe, expect, it } from 'vitest';
import { estimateCount, UserSketch } from './user-sketch.ts';

const namesOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `user-${from + i}`);
const sketchOf = (names: readonly string[]) => {
  const sketch = new UserSketch();
  for (const name of names) sketch.add(name);
  return sketch;
};

describe('sketches of who is on which process', () => {
  it.each([0, 1, 10, 100])('tell of %i users how many they are, but for one or two', (count) => {
    const estimate = estimateCount([`${sketchOf(namesOf(0, count))}`]);
    expect(Math.abs(estimate - count)).toBeLessThanOrEqual(count / 50);
  });

  it.each([1000, 20_000, 300_000])('tell of %i users how many they are within 5 %', (count) => {
    const estimate = estimateCount([`${sketchOf(namesOf(0, count))}`]);
    expect(Math.abs(estimate - count) / count).toBeLessThan(0.05);
  });

  it('count who is on several processes once', () => {
    const [one, two] = [sketchOf(namesOf(0, 60)), sketchOf(namesOf(40, 100))];
    expect(Math.abs(estimateCount([`${one}`, `${two}`]) - 100)).toBeLessThanOrEqual(2);
  });

  it('forget who goes, also one who shares everything with another', () => {
    const sketch = sketchOf([...namesOf(0, 5000), 'user-1']);
    for (const name of [...namesOf(0, 1), ...namesOf(2, 5000)]) sketch.delete(name);
    expect(estimateCount([`${sketch}`])).toBe(1);
    sketch.delete('user-1');
    expect(estimateCount([`${sketch}`])).toBe(1);
    sketch.delete('user-1');
    expect(`${sketch}`).toBe(`${new UserSketch()}`);
  });

  it('that are none count for none', () => {
    expect(estimateCount(['', 'not a sketch'])).toBe(0);
  });
});
