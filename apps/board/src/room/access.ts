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

/** Throws `not_found` for who is not in a project, `forbidden` where the role does not allow it. */
export const allow = async (
  db: Database | Trx,
  user: User,
  { projectId, to }: { projectId: string; to: Wish },
): Promise<void> => {
  const member = await db
    .selectFrom('members')
    .select('role')
    .where('project_id', '=', projectId)
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  if (member === undefined) throw new BoardError('not_found');
  if (!ALLOWED[to].includes(member.role)) throw new BoardError('forbidden');
};

/** The project that a task is in. */
export const projectOf = async (db: Database | Trx, taskId: string): Promise<string> => {
  const task = await db.selectFrom('tasks').select('project_id').where('id', '=', taskId).executeTakeFirst();
  if (task === undefined) throw new BoardError('not_found');
  return task.project_id;
};
