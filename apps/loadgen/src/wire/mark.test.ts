import { expect, it } from 'vitest';
import { formatMark, type Mark, readMark } from './mark.ts';

const read = (text: string): Mark | undefined => {
  const mark: Mark = { stream: 0, seq: 0, at: 0 };
  return readMark(Buffer.from(text), mark) ? mark : undefined;
};

it('finds the mark of an event among other data', () => {
  const mark = { stream: 199, seq: 1_234_567, at: 98_765_432_101_234 };
  const packet = `42["load:told",{"before":"é","mark":"${formatMark(mark)}","pad":"xx"},{"room":"load:1"}]`;
  expect(read(packet)).toEqual(mark);
});

it('reads leading zeros, which keep frames of one size', () => {
  expect(read('{"mark":"0.0000000042.0"}')).toEqual({ stream: 0, seq: 42, at: 0 });
});

it.each(['42["other",{}]', '{"mark":"12"}', '{"mark":"1-2-3"}'])('finds none in %s', (text) => {
  expect(read(text)).toBeUndefined();
});
