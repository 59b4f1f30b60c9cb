import type { PresenceMember } from '@fanfare/protocol';

/** Who is in a room; another object whenever that has changed. */
export interface PresenceView {
  /** Everybody, in the order in which they were heard of; in a large room some of them, or none. */
  readonly members: readonly PresenceMember[];
  /** Users in the room on all nodes; more than `members` has in a large room. */
  readonly count: number;
}

const NOBODY: PresenceView = { members: [], count: 0 };

const isMember = (value: unknown): value is PresenceMember =>
  typeof value === 'object' && value !== null && 'user' in value && typeof value.user === 'string';

const membersOf = (value: unknown): PresenceMember[] | undefined =>
  Array.isArray(value) ? value.filter(isMember) : undefined;

/** Follows what a gateway says of the presence in a room. */
export class Presence {
  view: PresenceView = NOBODY;

  /** The answer to a join, `presence:state` or `presence:changed`; false when it says nothing of presence. */
  take(told: { members?: unknown; joined?: unknown; left?: unknown; count?: unknown }): boolean {
    const { count, left } = told;
    if (typeof count !== 'number') return false;
    const joined = membersOf(told.joined);
    if (joined === undefined) {
      // A room that is told in numbers only has no list that could be kept up to date.
      this.view = { members: membersOf(told.members) ?? [], count };
      return true;
    }
    const members = new Map(this.view.members.map((member) => [member.user, member]));
    for (const member of joined) members.set(member.user, member);
    for (const user of Array.isArray(left) ? left : []) members.delete(user);
    this.view = { members: [...members.values()], count };
    return true;
  }
}
