import { expect, test } from 'vitest';
import type { Message } from '../../contract.ts';
import { applyEvent, type Numbers, perMinute, reduceNumbers } from './numbers.ts';

const MINUTE_MS = 60_000;
const NOW = 1_800_000_000_000;

const EMPTY: Numbers = {
  project: { id: 'p', name: 'Launch', status: 'active' },
  columns: [],
  tasks: [],
  messages: [],
  comments: [],
  position: null,
};

const sent = (id: string, at: number): { event: 'message:sent'; data: Message } => ({
  event: 'message:sent',
  data: { id, at, seq: 1, text: 'Hi', author: { id: 'u', name: 'ada' } },
});

test('messages of the same millisecond count each, and one that is told again counts once', () => {
  const numbers = [sent('a', NOW), sent('b', NOW), sent('a', NOW)].reduce(applyEvent, {
    ...EMPTY,
    messages: [{ id: 'of the snapshot', at: NOW }],
  });
  expect(perMinute(numbers.messages, NOW).at(-1)).toBe(3);
  expect(perMinute(applyEvent(numbers, sent('of the snapshot', NOW)).messages, NOW).at(-1)).toBe(3);
});

test('a dashboard that stays open forgets the messages that its chart no longer shows', () => {
  const hours = Array.from({ length: 180 }, (_, minute) => sent(`${minute}`, NOW + minute * MINUTE_MS));
  const { messages } = hours.reduce(applyEvent, EMPTY);
  expect(messages).toHaveLength(30);
  expect(perMinute(messages, NOW + 179 * MINUTE_MS)).toEqual(Array.from({ length: 30 }, () => 1));
});

test('what is told while another snapshot is on its way is in the numbers after it', () => {
  const before = reduceNumbers(undefined, { type: 'fetched', snapshot: EMPTY });
  const fetching = reduceNumbers(before, { type: 'fetching' });
  const told = reduceNumbers(fetching, { type: 'told', event: sent('a', NOW) });
  const after = reduceNumbers(told, { type: 'fetched', snapshot: EMPTY });
  expect(after).toMatchObject({ numbers: { messages: [{ id: 'a', at: NOW }] }, held: undefined });
});
