import { z } from 'zod';
import { LIMITS } from './limits.ts';

/** Names that stock clients and servers use themselves: a packet with one of them cuts a client off. */
const RESERVED_BY_SOCKET_IO = [
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
] as const;

/** Names of the two tables of the socket contract. */
const CONTRACT_EVENTS = [
  'room:join',
  'room:leave',
  'room:publish',
  'room:signal',
  'user:send',
  'presence:list',
  'token:refresh',
  'room:skip',
  'room:reset',
  'room:joined',
  'room:left',
  'presence:changed',
  'presence:state',
  'session:expiring',
  'session:closing',
] as const;

const forbiddenEventNames: ReadonlySet<string> = new Set([...RESERVED_BY_SOCKET_IO, ...CONTRACT_EVENTS]);

/** Whether the name belongs to Socket.IO or to the socket contract, so that nobody else may send it. */
export const isProtocolEvent = (name: string): boolean => forbiddenEventNames.has(name);

/** A segment starts every room name with a colon behind it, so a socket id is never a room name. */
const ROOM = /^[a-z][a-z0-9-]*(:[A-Za-z0-9_-]{1,64}){1,3}$/;

/** `project:42`, `public:lobby`; at most 200 bytes. */
export const roomName = z
  .string()
  .max(LIMITS.roomBytes)
  .regex(
    ROOM,
    'a room name looks like "project:42": lower-case kind, a colon, up to three parts of A-Z a-z 0-9 _ -',
  );

/** Whether a room is one of the contract's, with a log; any other name is a team's own room. */
export const isRoomName = (name: string): boolean => name.length <= LIMITS.roomBytes && ROOM.test(name);

/** What each user calls their own inbox. */
export const INBOX = 'inbox:me';

/** Whether a room is an inbox. Inside, each user's has a name of its own, which nobody outside may use. */
export const isInbox = (room: string): boolean => room.startsWith('inbox:');

/** A room as a backend names it: any but inboxes, which are addressed by their user. */
export const sharedRoomName = roomName.refine(
  (name) => !isInbox(name),
  'an inbox is addressed by its user: POST /v1/users/{user}/publish',
);

/** `sub` of a user. Half a surrogate pair has no UTF-8, so two such users could not be told apart. */
export const userName = z
  .string()
  .min(1)
  .max(LIMITS.userLength)
  .refine((name) => name.isWellFormed(), 'a user has whole characters only');

/** Id of an event, or key of a signal; told apart like users. */
export const eventId = z
  .string()
  .min(1)
  .max(LIMITS.idLength)
  .refine((id) => id.isWellFormed(), 'an id has whole characters only');

/** `task:created`; 1 to 128 characters, none of the names that Socket.IO or the contract uses. */
export const eventName = z
  .string()
  .max(LIMITS.eventNameLength)
  .regex(
    /^[A-Za-z0-9][\w.:-]*$/,
    'an event name looks like "task:created": letters, digits, and _ . : - after the first',
  )
  .refine((name) => !forbiddenEventNames.has(name), 'this event name belongs to the protocol');

export const namespaceName = z
  .string()
  .max(64)
  .regex(/^\/[a-z0-9-]*$/, 'a namespace looks like "/" or "/chat"');

/** A node's id: it ends every session id, and the load balancer routes by it. */
export const nodeId = z
  .string()
  .max(LIMITS.nodeIdLength)
  .regex(/^[a-z0-9-]+$/, 'a node id has lower-case letters, digits and dashes only');

/**
 * The internal room of a user's sockets. It starts with a character that no room name has, and a `sub` may hold any
 * character, hence base64url.
 */
export const userRoom = (sub: string): string => {
  const bytes = ASCII.test(sub) ? sub : String.fromCharCode(...new TextEncoder().encode(sub));
  return `${USER_ROOM}${btoa(bytes).replace(/[+/=]/g, (sign) => BASE64URL[sign] ?? '')}`;
};

const ASCII = /^[\x20-\x7e]*$/;
const BASE64URL: Readonly<Record<string, string>> = { '+': '-', '/': '_' };
const USER_ROOM = '~';

/** Whether a room is the internal one of a user's sockets. */
export const isUserRoom = (name: string): boolean => name.startsWith(USER_ROOM);
