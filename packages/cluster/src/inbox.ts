import { hash } from 'node:crypto';
import { INBOX, isInbox } from '@fanfare/protocol';

/** The room behind a user's `inbox:me`. A `sub` may be longer than a room name and hold any character, hence a digest. */
export const inboxRoom = (user: string): string => `inbox:${hash('sha256', user, 'base64url')}`;

/** A room as its members know it. */
export const toldRoom = (room: string): string => (isInbox(room) ? INBOX : room);
