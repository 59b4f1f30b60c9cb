import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Deadlines } from './deadlines.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_250 });
});
afterEach(() => {
  vi.useRealTimers();
});

const open = () => {
  const told: string[] = [];
  const deadlines = new Deadlines<{ name: string }>(({ name }) => told.push(name));
  return { told, deadlines, in: (name: string, ms: number) => deadlines.add({ name }, Date.now() + ms) };
};

it('tells of each item once, in the second in which it is due and not before', () => {
  using stack = new DisposableStack();
  const { told, deadlines, in: addIn } = open();
  stack.use(deadlines);
  for (const [name, ms] of [
    ['third', 3000],
    ['first', 100],
    ['second', 1900],
  ] as const)
    addIn(name, ms);
  vi.advanceTimersByTime(700);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(60);
  expect(told).toEqual(['first']);
  vi.advanceTimersByTime(2000);
  expect(told).toEqual(['first', 'second']);
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual(['first', 'second', 'third']);
});

it('tells of what is due already with the next second', () => {
  const { told, deadlines, in: addIn } = open();
  using _ = deadlines;
  addIn('late', -60_000);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(['late']);
});

it('does not tell of what was removed', () => {
  const { told, deadlines } = open();
  using _ = deadlines;
  const item = { name: 'gone' };
  deadlines.remove(item, deadlines.add(item, Date.now() + 1000));
  vi.advanceTimersByTime(5000);
  expect(told).toEqual([]);
});

it('tells of everything that a leap of the clock has passed', () => {
  const { told, deadlines, in: addIn } = open();
  using _ = deadlines;
  addIn('soon', 5000);
  addIn('in an hour', 3_600_000);
  vi.setSystemTime(Date.now() + 7_200_000);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(['soon', 'in an hour']);
});

it('tells of what was added after the clock was set back when it is due by the new clock', () => {
  const { told, deadlines, in: addIn } = open();
  using _ = deadlines;
  addIn('by the old clock', 5000);
  vi.advanceTimersByTime(2000);
  vi.setSystemTime(Date.now() - 3_600_000);
  addIn('late', -60_000);
  addIn('soon', 2000);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(['late']);
  addIn('later', 2000);
  vi.advanceTimersByTime(3000);
  expect(told).toEqual(['late', 'soon', 'later']);
  vi.advanceTimersByTime(3_600_000);
  expect(told.at(-1)).toBe('by the old clock');
});
