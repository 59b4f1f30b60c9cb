import { Router } from 'express';
import { sql } from 'kysely';
import type { Sessions } from '../accounts/sessions.ts';
import type { Column, Comment, DashboardSnapshot, Project, Task } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { idIn } from '../http/parse.ts';
import { allow } from '../room/access.ts';
import type { PositionOf } from '../room/position.ts';

export interface DashboardDeps {
  db: Database;
  sessions: Sessions;
  positionOf: PositionOf;
  readers: {
    project: (db: Database, projectId: string) => Promise<Project>;
    columns: (db: Database, projectId: string) => Promise<Column[]>;
    tasks: (db: Database, projectId: string) => Promise<Task[]>;
    comments: (db: Database, where: { project_id: string }, limit: number) => Promise<Comment[]>;
  };
}

const COMMENTS = 20;

const readTimes = async (db: Database, projectId: string): Promise<DashboardSnapshot['messages']> => {
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'created_at'])
    .where('project_id', '=', projectId)
    .where('created_at', '>', sql<Date>`now() - interval '30 minutes'`)
    .orderBy('created_at')
    .execute();
  return rows.map(({ id, created_at }) => ({ id, at: created_at.getTime() }));
};

/** Numbers of a project, for whoever may look at it; they stay true by the events of its room. */
export const dashboardRoutes = ({ db, sessions, positionOf, readers }: DashboardDeps): Router => {
  const router = Router();

  router.get('/projects/:project/dashboard', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    await allow(db, user, { projectId, to: 'look' });
    const position = await positionOf(projectId);
    const snapshot = await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (trx) => {
        const tasks = await readers.tasks(trx, projectId);
        const columns = await readers.columns(trx, projectId);
        return {
          project: await readers.project(trx, projectId),
          columns,
          tasks: tasks.map(({ id, columnId, version }) => ({ id, columnId, version })),
          messages: await readTimes(trx, projectId),
          comments: await readers.comments(trx, { project_id: projectId }, COMMENTS),
        };
      });
    const answer: DashboardSnapshot = { ...snapshot, position };
    response.json(answer);
  });

  return router;
};
