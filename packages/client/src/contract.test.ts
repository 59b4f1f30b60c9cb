import { isRoomName as isRoomNameOfProtocol, LIMITS, roomJoin } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import {
  EVENT_BYTES,
  isMeta,
  isPosition,
  isRoomName,
  MOST_REPLAYED,
  ROOMS_PER_REQUEST,
  readSessionNotice,
} from './contract.ts';

// The client repeats what little it needs of the protocol: importing it would put zod into every page.
describe('what is repeated of the protocol is the same', () => {
  it('limits', () => {
    expect(ROOMS_PER_REQUEST).toBe(LIMITS.roomsPerRequest);
    expect(EVENT_BYTES).toBe(LIMITS.eventBytes);
    const replay = (n: number) => roomJoin.payload.safeParse({ room: 'a:1', replay: n }).success;
    expect([replay(MOST_REPLAYED), replay(MOST_REPLAYED + 1)]).toEqual([true, false]);
  });

  it.each([
    { epoch: '', offset: 0 },
    { epoch: 'e1', offset: 7 },
    { epoch: 'e1', offset: -1 },
    { epoch: 'e1', offset: 1.5 },
    { epoch: 'e1', offset: 2 ** 53 },
    { epoch: 'e1', offset: '7' },
    { epoch: 1, offset: 7 },
    { offset: 7 },
    'e1',
    null,
  ])('position %j', (since) => {
    expect(isPosition(since)).toBe(roomJoin.payload.safeParse({ room: 'a:1', since }).success);
  });

  it.each([
    'project:42',
    'a:b:c:d',
    'a:b:c:d:e',
    'inbox:me',
    'Project:42',
    'project',
    'project:',
    ':42',
    'project:4 2',
    'project:ü',
    `a:${'x'.repeat(64)}`,
    `a:${'x'.repeat(65)}`,
    `${'a'.repeat(190)}:${'x'.repeat(9)}`,
    `${'a'.repeat(190)}:${'x'.repeat(10)}`,
    '',
    'project:42\n',
  ])('room name %j', (name) => {
    expect(isRoomName(name)).toBe(isRoomNameOfProtocol(name));
  });
});

it.each([undefined, null, 'text', {}, { room: 'project:1' }, { room: 1, id: 'x', at: 1 }])(
  '%j beside an event is not what a gateway tells of it',
  (meta) => {
    expect(isMeta(meta)).toBe(false);
  },
);

it('what a gateway says of a session has defaults', () => {
  expect(readSessionNotice(undefined)).toEqual({ inMs: 0, reason: 'closing', reconnect: true });
  expect(readSessionNotice({ inMs: 5, reason: 'x', reconnect: false })).toEqual({
    inMs: 5,
    reason: 'x',
    reconnect: false,
  });
});
