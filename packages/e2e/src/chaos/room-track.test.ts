import { expect, test } from 'vitest';
import { noFaults, RoomTrack } from './room-track.ts';

const truth = new Map([['e', new Map([1, 2, 3, 4, 5].map((offset) => [offset, `id-${offset}`]))]]);
const at = (offset: number, id = `id-${offset}`) => ({ epoch: 'e', offset, id });
const member = { isMember: true };

const joinedAt = (offset: number): RoomTrack => {
  const track = new RoomTrack();
  track.joined({ epoch: 'e', offset }, { recovered: false });
  return track;
};

test('what was heard once and in order is no fault, from the first join on', () => {
  const track = joinedAt(2);
  for (const offset of [3, 4, 5]) track.hear(at(offset), member);
  expect(track.faults(truth)).toEqual(noFaults());
  expect(track.hasReached({ epoch: 'e', offset: 5 })).toBe(true);
});

test('a room that nobody published to begins with its first event', () => {
  const track = new RoomTrack();
  track.joined({ epoch: '', offset: 0 }, { recovered: false });
  for (const offset of [1, 2, 3, 4, 5]) track.hear(at(offset), member);
  expect(track.faults(truth)).toEqual(noFaults());
});

test('lost: never heard, in the middle or at the end', () => {
  const track = joinedAt(1);
  track.hear(at(2), member);
  track.hear(at(4), member);
  expect(track.faults(truth)).toEqual({ ...noFaults(), lost: 2 });
  expect(track.hasReached({ epoch: 'e', offset: 4 })).toBe(false);
});

test('doubled, out of order, early and strange are told apart', () => {
  const track = joinedAt(0);
  track.hear(at(1), { isMember: false });
  for (const offset of [2, 2, 4, 3, 5]) track.hear(at(offset), member);
  track.hear({ ...at(6), epoch: 'other' }, member);
  expect(track.faults(truth)).toEqual({ ...noFaults(), early: 1, doubled: 1, outOfOrder: 1, strange: 1 });
});

test('an id that the publisher was not told of at that offset is wrong', () => {
  const track = joinedAt(3);
  track.hear(at(4, 'another'), member);
  track.hear(at(5), member);
  expect(track.faults(truth)).toEqual({ ...noFaults(), wrong: 1 });
});

test('a skip moves on without an id', () => {
  const track = joinedAt(3);
  track.hear(at(4, ''), member);
  track.hear(at(5), member);
  expect(track.faults(truth)).toEqual(noFaults());
});

test('a reset tells of what is missing, and counts', () => {
  const track = joinedAt(0);
  track.hear(at(1), member);
  track.reset({ epoch: 'e', offset: 4 });
  track.hear(at(5), member);
  expect(track.faults(truth)).toEqual(noFaults());
  expect(track.resets).toBe(1);
});

test('a join that says recovered and leaves events out has lost them', () => {
  const track = joinedAt(0);
  track.hear(at(1), member);
  track.joined({ epoch: 'e', offset: 5 }, { recovered: true });
  expect(track.faults(truth)).toEqual({ ...noFaults(), lost: 4 });
});
