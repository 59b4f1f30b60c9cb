import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { roomName } from '../names.ts';
import { defineEvent } from './event.ts';

/** A user who is in a room, however many sockets they have there. */
const presenceMember = z.object({
  user: z.string().describe('The user (`sub`)'),
  info: z.unknown().optional().describe('What their token says of them in `info`; absent when nothing'),
});
export type PresenceMember = z.infer<typeof presenceMember>;

const count = z.int().describe('Members of the room on all nodes');
const version = z.int().describe('Greater than every earlier one of the room; 0 for an empty room');
const cursor = z.string().max(LIMITS.userLength);

/** A page of who is in a room, in the order of their names. */
export const presencePage = z
  .object({
    members: z.array(presenceMember),
    count,
    version,
    next: z.string().optional().describe('Cursor of the next page; absent on the last one'),
  })
  .meta({ id: 'PresencePage' });
export type PresencePage = z.infer<typeof presencePage>;

/** What the answer to a join with `presence: true` has beside the rest. */
export const presenceOfJoin = {
  members: z.array(presenceMember).optional().describe('All members, or the first 100 of a large room'),
  count: count.optional(),
  version: version.optional(),
};

/** Who is in a room, page by page; asks for the action `presence`, not for membership. */
export const presenceList = defineEvent('presence:list', {
  payload: z.strictObject({ room: roomName, cursor: cursor.optional() }),
  ack: presencePage,
});

/** `presence:changed`: who came and who went since the last time. */
export interface PresenceChanged {
  room: string;
  version: number;
  joined: PresenceMember[];
  left: string[];
  count: number;
}

/** `presence:state`: how many there are, and who, unless there are too many. */
export interface PresenceState {
  room: string;
  version: number;
  members?: PresenceMember[];
  count: number;
}
