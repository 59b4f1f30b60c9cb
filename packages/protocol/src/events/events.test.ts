import { describe, expect, it } from 'vitest';
import { roomJoin, roomPublish, roomSignal } from './events.ts';

const issueOf = (payload: unknown): { path: string; message: string } => {
  const [issue] = roomJoin.payload.safeParse(payload).error?.issues ?? [];
  return { path: issue?.path.join('.') ?? '', message: issue?.message ?? 'accepted' };
};

describe('room:join', () => {
  it('takes one room or a list of them, each with its own position', () => {
    const since = { epoch: 'e', offset: 3 };
    for (const payload of [
      { room: 'project:1' },
      { room: 'project:1', since, presence: true },
      { room: 'project:1', replay: 500 },
      { rooms: [{ room: 'project:1', since }, { room: 'project:2' }] },
    ]) {
      expect(roomJoin.payload.parse(payload)).toEqual(payload);
    }
  });

  it('takes at most 50 rooms', () => {
    const rooms = (count: number) => ({ rooms: Array(count).fill({ room: 'project:1' }) });
    expect(roomJoin.payload.safeParse(rooms(50)).success).toBe(true);
    expect(issueOf(rooms(51)).message).toContain('<=50');
    expect(roomJoin.payload.safeParse(rooms(0)).success).toBe(false);
  });

  it.each<[what: string, payload: unknown, path: string, message: string]>([
    ['a wrong name', { room: 'BAD' }, 'room', 'a room name looks like "project:42"'],
    ['a wrong name in a list', { rooms: [{ room: 'BAD' }] }, 'rooms.0.room', 'a room name looks like'],
    ['nothing', {}, '', '"room": Invalid input: expected string'],
    ['no object', 7, '', 'expected object, received number'],
    ['an unknown field', { room: 'a:b', sinse: 1 }, '', 'Unrecognized key: "sinse"'],
    ['both forms', { room: 'a:b', rooms: [{ room: 'a:b' }] }, '', 'Unrecognized key: "room"'],
    ['a wrong type in a list', { rooms: [{ room: 'a:b', presence: 1 }] }, '', '"rooms.0.presence": Invalid'],
    ['a negative offset', { room: 'a:b', since: { epoch: '', offset: -1 } }, 'since.offset', '>=0'],
    [
      'an unknown field of a position',
      { room: 'a:b', since: { epoch: '', offset: 0, x: 1 } },
      'since',
      '"x"',
    ],
    ['too long a replay', { room: 'a:b', replay: 501 }, 'replay', '<=500'],
  ])('says what is wrong with %s', (_what, payload, path, message) => {
    expect(issueOf(payload).message).toContain(message);
    expect(issueOf(payload).path).toBe(path);
  });
});

describe('room:publish and room:signal', () => {
  const good = { room: 'project:1', event: 'task:created' };

  it.each([0, '', false, null, [], { deep: [1] }])('take %j as data', (data) => {
    for (const { payload } of [roomPublish, roomSignal]) {
      expect(payload.parse({ ...good, data })).toEqual({ ...good, data });
    }
  });

  it('ask for data, so that a listener never gets (meta) in its place', () => {
    for (const { payload } of [roomPublish, roomSignal]) {
      expect(payload.safeParse(good).error?.issues).toMatchObject([
        { path: ['data'], message: 'missing: give null for none' },
      ]);
    }
  });

  it('differ in the id, which only a publish has', () => {
    const withId = { ...good, data: 1, id: 'x' };
    expect(roomPublish.payload.safeParse(withId).success).toBe(true);
    expect(roomSignal.payload.safeParse(withId).success).toBe(false);
    for (const id of ['', 'x'.repeat(129), 7]) {
      expect(roomPublish.payload.safeParse({ ...withId, id }).success).toBe(false);
    }
  });
});
