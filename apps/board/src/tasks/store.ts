import { sql } from 'kysely';
import type { Comment, Task } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';
import { BoardError } from '../http/error.ts';

const commentCount = sql<number>`(select count(*)::int from comments where comments.task_id = tasks.id)`;

const selectTasks = (db: Database | Trx) =>
  db
    .selectFrom('tasks')
    .select([
      'id',
      'column_id as columnId',
      'title',
      'description',
      'assignee_id as assigneeId',
      'position',
      'version',
      commentCount.as('comments'),
    ]);

export const readTasks = (db: Database | Trx, projectId: string): Promise<Task[]> =>
  selectTasks(db).where('project_id', '=', projectId).orderBy('position').orderBy('id').execute();

export const readTask = async (db: Database | Trx, taskId: string): Promise<Task> => {
  const task = await selectTasks(db).where('id', '=', taskId).executeTakeFirst();
  if (task === undefined) throw new BoardError('not_found');
  return task;
};

/** Changes columns of a task's row, and says what the task is now. */
export const updateTask = async (
  trx: Trx,
  taskId: string,
  values: Partial<{
    title: string;
    description: string;
    assignee_id: string | null;
    column_id: string;
    position: number;
  }>,
): Promise<Task> => {
  await trx
    .updateTable('tasks')
    .set((eb) => ({ ...values, version: eb('version', '+', 1) }))
    .where('id', '=', taskId)
    .execute();
  return readTask(trx, taskId);
};

const STEP = 1024;

interface Place {
  position: number;
  /** Tasks that had to make room for it. */
  renumbered: readonly Task[];
}

/** The place of a task that is put before another one of the column, or at its end. */
export const placeIn = async (
  trx: Trx,
  columnId: string,
  { taskId, beforeId }: { taskId?: string | undefined; beforeId: string | null },
): Promise<Place> => {
  const inColumn = await trx
    .selectFrom('tasks')
    .select(['id', 'position'])
    .where('column_id', '=', columnId)
    .orderBy('position')
    .orderBy('id')
    .execute();
  const others = inColumn.filter(({ id }) => id !== taskId);
  const found = others.findIndex(({ id }) => id === beforeId);
  const index = found < 0 ? others.length : found;
  const above = others[index - 1]?.position;
  const below = others[index]?.position;
  if (below === undefined) return { position: (above ?? 0) + STEP, renumbered: [] };
  if (above === undefined) return { position: below - STEP, renumbered: [] };
  const position = (above + below) / 2;
  if (above < position && position < below) return { position, renumbered: [] };
  // Half of a gap half as wide each time: after some fifty moves there is no number between the two.
  const renumbered: Task[] = [];
  for (const [i, { id }] of others.entries()) {
    renumbered.push(await updateTask(trx, id, { position: (i + 1) * STEP }));
  }
  return { position: (index + 0.5) * STEP, renumbered };
};

/** Throws `not_found` unless the column is one of the project. */
export const assertColumn = async (trx: Trx, projectId: string, columnId: string): Promise<void> => {
  const column = await trx
    .selectFrom('columns')
    .select('id')
    .where('project_id', '=', projectId)
    .where('id', '=', columnId)
    .executeTakeFirst();
  if (column === undefined) throw new BoardError('not_found', 'This column is not there any more');
};

/** The newest comments first, of a task or of a whole project. */
export const readComments = async (
  db: Database | Trx,
  where: { task_id: string } | { project_id: string },
  limit: number,
): Promise<Comment[]> => {
  const [column, id] =
    'task_id' in where ? (['task_id', where.task_id] as const) : (['project_id', where.project_id] as const);
  const rows = await db
    .selectFrom('comments')
    .innerJoin('users', 'users.id', 'comments.author_id')
    .innerJoin('tasks', 'tasks.id', 'comments.task_id')
    .select([
      'comments.id',
      'comments.task_id',
      'tasks.title',
      'users.id as author_id',
      'users.name',
      'comments.text',
      'comments.created_at',
    ])
    .where(`comments.${column}`, '=', id)
    .orderBy('comments.created_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    taskId: row.task_id,
    taskTitle: row.title,
    author: { id: row.author_id, name: row.name },
    text: row.text,
    at: row.created_at.getTime(),
  }));
};
