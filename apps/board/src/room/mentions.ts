import type { Project, User } from '../contract.ts';
import type { Trx } from '../database/database.ts';
import type { Told } from './change.ts';

/** `@ada`, not the middle of an address. */
const MENTION = /(?<![\w@])@([a-z0-9][a-z0-9-]{1,29})/gi;
const MOST = 20;

/** A notice for each member whom a text names, but for its author. */
export const tellMentioned = async (
  trx: Trx,
  { by, project, text }: { by: User; project: Project; text: string },
): Promise<Told[]> => {
  const names = new Set(Array.from(text.matchAll(MENTION), ([, name = '']) => name.toLowerCase()));
  names.delete(by.name);
  if (names.size === 0) return [];
  const members = await trx
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.id')
    .where('members.project_id', '=', project.id)
    .where('users.name', 'in', [...names].slice(0, MOST))
    .execute();
  return members.map(({ id }) => ({
    user: id,
    event: 'notified' as const,
    data: { kind: 'mentioned' as const, by, project, text: text.slice(0, 300) },
  }));
};
