import { describe, expect, it } from 'vitest';
import { roomJoin, roomLeave, roomPublish, roomSignal } from './events/events.ts';
import { publishRequest } from './http/publish.ts';
import { LIMITS } from './limits.ts';
import {
  eventId,
  eventName,
  isProtocolEvent,
  isUserRoom,
  namespaceName,
  nodeId,
  roomName,
  sharedRoomName,
  userName,
  userRoom,
} from './names.ts';

const accepts = (schema: { safeParse: (value: unknown) => { success: boolean } }, value: unknown): boolean =>
  schema.safeParse(value).success;

const part = 'a'.repeat(64);

describe('a room name', () => {
  it.each([
    'project:42',
    'public:lobby',
    'inbox:me',
    'a:b',
    'a-1:B_c-3',
    'org:1:project:2',
    `kinds:${part}:${part}:${part}`,
  ])('may be %s', (name) => {
    expect(accepts(roomName, name)).toBe(true);
  });

  it.each([
    '',
    'project',
    ':42',
    'project:',
    'project::42',
    'project:42:',
    'Project:42',
    '1project:42',
    '-project:42',
    'pro_ject:42',
    'a:1:2:3:4',
    'project:4 2',
    'project:42\n',
    'project:ü',
    'project:*',
    'project:a.b',
    `a:${part}a`,
    'q0QrSgSg4IwkVrUQAAAB',
    42,
    null,
    ['project:42'],
  ])('may not be %j', (name) => {
    expect(accepts(roomName, name)).toBe(false);
  });

  it('is of no inbox where a backend gives it', () => {
    expect(accepts(sharedRoomName, 'project:42')).toBe(true);
    expect(accepts(sharedRoomName, 'inboxes:42')).toBe(true);
    expect(accepts(sharedRoomName, 'inbox:me')).toBe(false);
    expect(accepts(sharedRoomName, 'inbox:42')).toBe(false);
  });

  it('is at most 200 bytes long', () => {
    const rest = `:${part}:${part}:${part}`;
    expect(accepts(roomName, `kinds${rest}`)).toBe(true);
    expect(`kinds${rest}`).toHaveLength(LIMITS.roomBytes);
    expect(accepts(roomName, `kindss${rest}`)).toBe(false);
  });

  it('is never a session id, whatever the node is called', () => {
    for (const id of ['AAAAAAAAAAAAAAAAAAAA_gateway-0', 'abcdefghij0123456789_n1']) {
      expect(accepts(roomName, id)).toBe(false);
    }
  });
});

describe('an event name', () => {
  it.each(['task:created', 'a', '7', 'user.hug', 'A_b-c.d:e', 'comment.add', 'x'.repeat(128)])(
    'may be %s',
    (name) => {
      expect(accepts(eventName, name)).toBe(true);
    },
  );

  it.each(['', ':created', '_private', '-x', '.x', 'task created', 'task:ü', 'a\n', 'x'.repeat(129), 5])(
    'may not be %j',
    (name) => {
      expect(accepts(eventName, name)).toBe(false);
    },
  );

  it.each(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'])(
    'is not %s, which cuts stock clients off',
    (name) => {
      expect(accepts(eventName, name)).toBe(false);
      expect(isProtocolEvent(name)).toBe(true);
    },
  );

  it('is no name of the contract, so that nobody can pretend to be the gateway', () => {
    const asked = [roomJoin, roomLeave, roomPublish, roomSignal].map((event) => event.name);
    const told = ['room:reset', 'room:skip', 'presence:state', 'session:closing'];
    for (const name of [...asked, ...told]) {
      expect(accepts(eventName, name)).toBe(false);
      expect(isProtocolEvent(name)).toBe(true);
    }
  });

  it('may look like one of those', () => {
    for (const name of ['connected', 'Disconnect', 'room:joins', 'user:sent']) {
      expect(accepts(eventName, name)).toBe(true);
    }
  });
});

describe('a namespace', () => {
  it('is / or one lower-case segment', () => {
    for (const name of ['/', '/chat', '/board-2']) expect(accepts(namespaceName, name)).toBe(true);
    for (const name of ['', 'chat', '/Chat', '/a/b', '/a?b', '/a*', `/${'a'.repeat(64)}`]) {
      expect(accepts(namespaceName, name)).toBe(false);
    }
  });
});

describe('a node id', () => {
  it('fits into a session id and a host name', () => {
    for (const id of ['n1', 'gateway-0', '3f2a9c1b77de', 'a'.repeat(63)]) {
      expect(accepts(nodeId, id)).toBe(true);
    }
    for (const id of ['', 'Node', 'a_b', 'a.b', 'a'.repeat(64)]) expect(accepts(nodeId, id)).toBe(false);
  });
});

it.each([
  ['alice', true],
  ['🤗', true],
  ['auth0|5f7c: a name', true],
  ['x'.repeat(256), true],
  ['x'.repeat(257), false],
  ['', false],
  ['half of a pair \ud83e', false],
  [7, false],
])('a user may be called %j: %s', (name, isGood) => {
  expect(accepts(userName, name)).toBe(isGood);
});

it.each([
  ['x'.repeat(128), true],
  ['🤗', true],
  ['x'.repeat(129), false],
  ['', false],
  ['\ud800', false],
])('an event may have the id %j: %s', (id, isGood) => {
  const publish = { room: 'project:1', event: 'told', data: 1 };
  expect(accepts(eventId, id)).toBe(isGood);
  expect(accepts(roomPublish.payload, { ...publish, id })).toBe(isGood);
  expect(accepts(publishRequest, { ...publish, id })).toBe(isGood);
});

it.each([
  ['alice', '~YWxpY2U'],
  ['a?>', '~YT8-'],
  ['???', '~Pz8_'],
  ['ü🤗', '~w7zwn6SX'],
])('the sockets of %j share the room %s, which is the base64url of the name in UTF-8', (sub, room) => {
  expect(userRoom(sub)).toBe(room);
  expect(Buffer.from(room.slice(1), 'base64url').toString()).toBe(sub);
  expect(isUserRoom(room)).toBe(true);
  expect(accepts(roomName, room)).toBe(false);
});
