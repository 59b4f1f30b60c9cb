import { z } from 'zod';

/** A room of a namespace. */
export interface Place {
  namespace: string;
  room: string;
}

/** One text for each room of a namespace; neither name holds a blank. */
export const placeKey = ({ namespace, room }: Place): string => `${namespace} ${room}`;

/** Somebody who is in a room, with however many sockets on however many nodes. */
export interface Member {
  user: string;
  /** What the token of the socket that came last says of the user. */
  info?: unknown;
}

/** Whether the same is said of a user twice. */
export const isSameInfo = (one: { info?: unknown }, other: { info?: unknown }): boolean =>
  one.info === other.info || JSON.stringify(one.info) === JSON.stringify(other.info);

/** Members of one room in the order of their names. */
export interface PresencePage {
  members: Member[];
  /** Members of the room on all nodes. */
  count: number;
  /** Greater than every earlier one of the room; 0 for a room that is empty. */
  version: number;
  /** The user to read on after; absent on the last page. */
  next?: string | undefined;
}

/** What one step has changed in a room, exactly once whichever process made it. */
export interface PresenceChange {
  /** One more than before it; anything else means that a change was missed. */
  version: number;
  count: number;
  /** Both absent in a room that is too large to be told who came and went. Who is there already came with other info. */
  joined?: Member[] | undefined;
  left?: string[] | undefined;
}

/** What this process holds in one room. */
export interface Holding extends Place {
  members: Iterable<Member>;
}

/** Who is present in which room, for all processes. A user stays a member of a room while any process holds them there. */
export interface PresenceStore extends AsyncDisposable {
  /**
   * Holds a user in a room for this process, or says that they are there with other info; carried out in the background,
   * however long Redis is away.
   */
  hold(place: Place, member: Member): void;
  release(place: Place, user: string): void;
  /** Where to read everything that this process holds, should the store have lost it. */
  holdFrom(source: () => Iterable<Holding>): void;
  /** A page of a room's members. Rejects with `unavailable` when it cannot be read. */
  read(place: Place, page: { after?: string | undefined; limit: number }): Promise<PresencePage>;
  /** Calls `listener` with every change of a room; resolves when it does. */
  listen(place: Place, listener: (change: PresenceChange) => void): Promise<void>;
  unlisten(place: Place): void;
  /** Calls `listener` when changes may have been missed. */
  onGap(listener: () => void): void;
}

const version = z.number();

/** A member as other processes tell of them. */
export const presenceMember = z.object({ user: z.string(), info: z.unknown().optional() });

/** What comes over a presence channel. */
export const presenceChange: z.ZodType<PresenceChange> = z.object({
  version,
  count: z.int(),
  joined: z.array(presenceMember).optional(),
  left: z.array(z.string()).optional(),
});
