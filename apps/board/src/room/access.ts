import type { Role, User } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';
import { BoardError } from '../http/error.ts';

/** What somebody wants to do in a project. */
export type Wish = 'look' | 'write' | 'own';

const ALLOWED: Record<Wish, readonly Role[]> = {
  look: ['owner', 'member', 'viewer'],
  write: ['owner', 'member'],
  own: ['owner'],
};

/** A user's role in a project; throws `not_found` for who is not in it, `forbidden` when the role does not allow it. */
export const allow = async (
  db: Database | Trx,
  user: User,
  { projectId, to }: { projectId: string; to: Wish },
): Promise<Role> => {
  const member = await db
    .selectFrom('members')
    .select('role')
    .where('project_id', '=', projectId)
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  if (member === undefined) throw new BoardError('not_found');
  if (!ALLOWED[to].includes(member.role)) throw new BoardError('forbidden');
  return member.role;
};

/** The project that a task is in. */
export const projectOf = async (db: Database | Trx, taskId: string): Promise<string> => {
  const task = await db.selectFrom('tasks').select('project_id').where('id', '=', taskId).executeTakeFirst();
  if (task === undefined) throw new BoardError('not_found');
  return task.project_id;
};
