import { once } from 'node:events';
import process from 'node:process';
import type { RoomEvent } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import type { JoinAnswer, Position, RoomReset } from '../contract.ts';
import { Cursor, type Start } from './cursor.ts';

const ROOM = 'project:1';

const event = (offset: number, epoch = 'e1'): RoomEvent => ({
  event: 'told',
  data: offset,
  meta: { room: ROOM, id: String(offset), at: 1, epoch, offset },
});

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

/** What a gateway answers whose log holds `first` to `head`. */
const answerOf = (since: Position | undefined, log: { first: number; head: number }): JoinAnswer => {
  const { first, head } = log;
  const at = { room: ROOM, epoch: 'e1', offset: head };
  if (since === undefined) return { ...at, recovered: false, events: [] };
  const isWhole = since.epoch === 'e1' && since.offset <= head && since.offset + 1 >= first;
  if (!isWhole) return { ...at, recovered: false, events: [] };
  return { ...at, recovered: true, events: range(since.offset + 1, head).map((n) => event(n)) };
};

const open = (start: Start = {}) => {
  const told: unknown[] = [];
  const resets: RoomReset[] = [];
  const states: string[] = [];
  const cursor = new Cursor(ROOM, start, {
    event: ({ data }) => told.push(data),
    reset: (reset) => resets.push(reset),
    changed: () => states.push(cursor.state),
    presence: () => undefined,
  });
  const join = (log: { first: number; head: number }) => {
    const request = cursor.request();
    cursor.answer(request, answerOf(request.since, log));
  };
  const live = (offset: number, epoch?: string) =>
    cursor.take({ epoch: epoch ?? 'e1', offset }, event(offset, epoch));
  return { cursor, told, resets, states, join, live };
};

describe('live events', () => {
  it('are told once each, in order, from the position of the join', () => {
    const { cursor, told, join, live } = open();
    join({ first: 1, head: 3 });
    expect([3, 4, 4, 5, 2].map((offset) => live(offset))).toEqual([true, true, true, true, true]);
    expect(told).toEqual([4, 5]);
    expect(cursor.position).toEqual({ epoch: 'e1', offset: 5 });
  });

  it('before the first answer are not for it', () => {
    const { told, live } = open();
    expect(live(1)).toBe(true);
    expect(told).toEqual([]);
  });

  it('after a gap are not told but found in the log', () => {
    const { cursor, told, join, live } = open();
    join({ first: 1, head: 1 });
    expect(live(4)).toBe(false);
    cursor.lostTrack();
    expect(live(5)).toBe(false);
    join({ first: 1, head: 5 });
    live(6);
    expect(told).toEqual([2, 3, 4, 5, 6]);
  });

  it('of another epoch are not told, apart from the very first of a room', () => {
    const { told, cursor, live } = open();
    cursor.answer({ room: ROOM }, { room: ROOM, epoch: '', offset: 0, recovered: false, events: [] });
    expect(live(2)).toBe(false);
    expect(live(1)).toBe(true);
    expect(live(2, 'e2')).toBe(false);
    expect(told).toEqual([1]);
  });

  it('that are not for it move its position only', () => {
    const { cursor, told, join, live } = open();
    join({ first: 1, head: 1 });
    expect(cursor.take({ epoch: 'e1', offset: 2 })).toBe(true);
    live(3);
    expect(told).toEqual([3]);
    expect(cursor.take({ epoch: 'e1', offset: 5 })).toBe(false);
  });

  it('without a position are signals, and are told as they come', () => {
    const { cursor, told, join } = open();
    const signal = { event: 'typing', data: 'x', meta: { room: ROOM, id: 's', at: 1 } };
    cursor.take(undefined, signal);
    join({ first: 1, head: 1 });
    cursor.take(undefined, signal);
    expect(told).toEqual(['x']);
  });
});

it('an error in a handler is an uncaught one, and nothing is missed because of it', async () => {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const told: unknown[] = [];
  const cursor = new Cursor(
    ROOM,
    { since: { epoch: 'e1', offset: 0 } },
    {
      event: ({ data }) => {
        told.push(data);
        if (data === 1) throw new Error('cannot take 1');
      },
      reset: () => undefined,
      changed: () => undefined,
      presence: () => undefined,
    },
  );
  try {
    const thrown = once(process, 'uncaughtException');
    cursor.answer(cursor.request(), answerOf(cursor.position, { first: 1, head: 2 }));
    expect(told).toEqual([1, 2]);
    expect(cursor.position?.offset).toBe(2);
    expect((await thrown)[0]).toEqual(new Error('cannot take 1'));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
});

describe('a join', () => {
  it('asks for the last events once, and afterwards for what was missed', () => {
    const { cursor, join } = open({ replay: 5 });
    expect(cursor.request()).toEqual({ room: ROOM, replay: 5 });
    join({ first: 1, head: 9 });
    expect(cursor.request()).toEqual({ room: ROOM, since: { epoch: 'e1', offset: 9 } });
  });

  it('asks with a position alone, whatever else the app gave with it', () => {
    const meta = { id: 'x', epoch: 'e1', offset: 9 };
    expect(open({ since: meta }).cursor.request()).toEqual({ room: ROOM, since: { epoch: 'e1', offset: 9 } });
  });

  it('goes on page by page until the gateway has no more', () => {
    const { cursor, told, states } = open({ since: { epoch: 'e1', offset: 0 } });
    const page = (from: number, to: number, more: boolean) =>
      cursor.answer(cursor.request(), {
        room: ROOM,
        epoch: 'e1',
        offset: to,
        recovered: true,
        events: range(from, to).map((n) => event(n)),
        ...(more && { more: true }),
      });
    page(1, 3, true);
    expect(cursor.needsJoin).toBe(true);
    page(4, 5, false);
    expect(told).toEqual([1, 2, 3, 4, 5]);
    expect(states).toEqual(['joined']);
  });

  it.each([
    [{ epoch: 'e1', offset: 2 }, { first: 5, head: 9 }, 'retention'],
    [{ epoch: 'e1', offset: 10 }, { first: 1, head: 9 }, 'lost'],
    [{ epoch: 'e0', offset: 2 }, { first: 1, head: 9 }, 'epoch'],
  ])('that cannot go on from %j says so once and goes on from the present', (since, log, reason) => {
    const { cursor, told, resets, join, live } = open({ since });
    join(log);
    live(10);
    expect(resets).toEqual([{ room: ROOM, epoch: 'e1', offset: 9, reason }]);
    expect(told).toEqual([10]);
    expect(cursor.state).toBe('joined');
  });

  it('that cannot go on says why as the gateway does', () => {
    const { cursor, resets } = open({ since: { epoch: 'e1', offset: 9 } });
    const at = { room: ROOM, epoch: 'e2', offset: 9 };
    cursor.answer(cursor.request(), { ...at, recovered: false, reason: 'lost', events: [] });
    expect(resets).toEqual([{ ...at, reason: 'lost' }]);
  });

  it('does not repeat what came live before its answer', () => {
    const { cursor, told, join, live } = open({ since: { epoch: 'e1', offset: 1 } });
    const request = cursor.request();
    live(2);
    cursor.answer(request, answerOf(request.since, { first: 1, head: 3 }));
    expect(told).toEqual([2, 3]);
    join({ first: 1, head: 3 });
    expect(told).toEqual([2, 3]);
  });
});

describe('what a gateway tells on its own', () => {
  it('moves a member whose continuity is lost', () => {
    const { cursor, told, resets, join, live } = open();
    join({ first: 1, head: 1 });
    const reset = { room: ROOM, epoch: 'e2', offset: 7, reason: 'lost' };
    cursor.notice('room:reset', reset);
    live(8, 'e2');
    expect(resets).toEqual([reset]);
    expect(told).toEqual([8]);
  });

  it('leaves it to the answer while a join is under way', () => {
    const { cursor, resets, join } = open({ since: { epoch: 'e1', offset: 1 } });
    cursor.notice('room:reset', { room: ROOM, epoch: 'e1', offset: 9, reason: 'retention' });
    expect(resets).toEqual([]);
    join({ first: 5, head: 9 });
    expect(resets).toHaveLength(1);
  });

  it.each([
    ['removed', 'forbidden'],
    ['forbidden', 'forbidden'],
    ['token_expired', 'token_expired'],
  ])('ends a membership, as %s, until the next connection or token', (reason, code) => {
    const { cursor, join } = open();
    join({ first: 1, head: 1 });
    cursor.notice('room:left', { room: ROOM, reason });
    expect(cursor).toMatchObject({ state: 'left', needsJoin: false, error: { code, message: reason } });
    cursor.restart();
    expect(cursor).toMatchObject({ state: 'joining', needsJoin: true, error: undefined });
    expect(cursor.request()).toEqual({ room: ROOM, since: { epoch: 'e1', offset: 1 } });
  });
});
