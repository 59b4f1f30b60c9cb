import { describe, expect, it } from 'vitest';
import type { LoggedEvent } from '../event-log/wire.ts';
import { HeardEvents } from './heard-events.ts';

const [RED, BLUE, GREEN] = ['red:1', 'blue:1', 'green:1'];
const MINUTE = 60_000;

const eventIn = (
  room: string,
  id: string | number,
  { rooms = [RED, BLUE], at = 0 }: { rooms?: string[]; at?: number } = {},
): LoggedEvent => ({
  event: 'told',
  data: null,
  bytes: 100,
  meta: { room, epoch: '0123456789abcdef', offset: 1, id: String(id), at },
  rooms,
  hearing: { publication: `test\n${id}`, room, at, readAt: at },
});

describe('an event for several rooms', () => {
  it('is heard through one of them', () => {
    const heard = new HeardEvents();
    expect([RED, BLUE].map((room) => heard.hear(eventIn(room, 'a'), true))).toEqual([true, false]);
  });

  it('is heard again through the same room: its answer was lost', () => {
    const heard = new HeardEvents();
    expect([RED, BLUE, RED].map((room) => heard.hear(eventIn(room, 'a'), true))).toEqual([true, false, true]);
  });

  it('is another one where the room that brought the first is none of its rooms', () => {
    const heard = new HeardEvents();
    heard.hear(eventIn(RED, 'a'), true);
    expect(heard.hear(eventIn(GREEN, 'a', { rooms: [BLUE, GREEN] }), true)).toBe(true);
  });

  it('is another one when the id of the first is no longer remembered', () => {
    const heard = new HeardEvents();
    heard.hear(eventIn(RED, 'a'), true);
    expect(heard.hear(eventIn(BLUE, 'a', { at: 9 * MINUTE }), true)).toBe(false);
    expect(heard.hear(eventIn(BLUE, 'a', { at: 10 * MINUTE }), true)).toBe(true);
  });
});

describe('what a socket has heard', () => {
  const hearMany = (heard: HeardEvents, count: number, isAwaited: boolean, at = 0) => {
    for (let i = 0; i < count; i += 1) heard.hear(eventIn(RED, i, { at }), isAwaited);
  };

  it('is kept while others of its rooms are read, however much it is', () => {
    const heard = new HeardEvents();
    hearMany(heard, 20_000, true);
    for (let i = 0; i < 20_000; i += 1) expect(heard.hear(eventIn(BLUE, i), true)).toBe(false);
    heard.forget(MINUTE);
    expect(heard.size).toBe(256);
  });

  it('is never more than what fifty rooms keep', () => {
    const heard = new HeardEvents();
    hearMany(heard, 60_000, true);
    expect(heard.size).toBeLessThanOrEqual(50_064);
  });

  it('is the last events alone in a socket that is in one room of each', () => {
    const heard = new HeardEvents();
    hearMany(heard, 1000, false);
    expect(heard.size).toBeLessThanOrEqual(320);
    expect(heard.hear(eventIn(BLUE, 999), true)).toBe(false);
  });

  it('is of the last minute in a socket that is always in several rooms of them', () => {
    const heard = new HeardEvents();
    for (let second = 0; second < 300; second += 1)
      for (let i = 0; i < 10; i += 1) heard.hear(eventIn(RED, `${second}-${i}`, { at: second * 1000 }), true);
    expect(heard.size).toBeLessThan(700);
  });

  it('is forgotten with the ids', () => {
    const heard = new HeardEvents();
    hearMany(heard, 3, true);
    heard.forget(10 * MINUTE - 1);
    expect(heard.size).toBe(3);
    heard.forget(10 * MINUTE);
    expect(heard.size).toBe(0);
  });
});
