import { Router } from 'express';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import { PROJECT_STATUSES, type ProjectListItem, type ProjectSnapshot } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { idIn, parse, text } from '../http/parse.ts';
import { allow } from '../room/access.ts';
import { changeProject } from '../room/change.ts';
import type { PositionOf } from '../room/position.ts';
import { readSnapshot, type SnapshotReaders } from './snapshot.ts';

const create = z.strictObject({ name: text(100) });
const edit = z.strictObject({ name: text(100), status: z.enum(PROJECT_STATUSES) });
const column = z.strictObject({ title: text(60) });

const COLUMNS = ['To do', 'Doing', 'Done'];

export interface ProjectsDeps {
  db: Database;
  sessions: Sessions;
  positionOf: PositionOf;
  readers: SnapshotReaders;
}

const listProjects = (db: Database, userId: string): Promise<ProjectListItem[]> =>
  db
    .selectFrom('members')
    .innerJoin('projects', 'projects.id', 'members.project_id')
    .select([
      'projects.id',
      'projects.name',
      'projects.status',
      'members.role',
      sql<number>`(select count(*)::int from messages
        where messages.project_id = projects.id and messages.seq > members.read_up_to
          and messages.author_id <> members.user_id)`.as('unread'),
    ])
    .where('members.user_id', '=', userId)
    .orderBy('projects.created_at')
    .execute();

export const projectRoutes = ({ db, sessions, positionOf, readers }: ProjectsDeps): Router => {
  const router = Router();

  router.get('/projects', async (request, response) => {
    const user = await sessions.user(request);
    response.json({ projects: await listProjects(db, user.id) });
  });

  router.post('/projects', async (request, response) => {
    const user = await sessions.user(request);
    const { name } = parse(create, request.body);
    const id = await db.transaction().execute(async (trx) => {
      const project = await trx
        .insertInto('projects')
        .values({ name, status: 'active' })
        .returning('id')
        .executeTakeFirstOrThrow();
      await trx
        .insertInto('members')
        .values({ project_id: project.id, user_id: user.id, role: 'owner' })
        .execute();
      const columns = COLUMNS.map((title, position) => ({ project_id: project.id, title, position }));
      await trx.insertInto('columns').values(columns).execute();
      return project.id;
    });
    response.status(201).json({ id });
  });

  router.get('/projects/:project', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    await allow(db, user, { projectId, to: 'look' });
    // Asked first: what happens between the two is in the snapshot and comes again, which changes nothing.
    const position = await positionOf(projectId);
    const snapshot = await readSnapshot(db, { projectId, userId: user.id }, readers);
    const answer: ProjectSnapshot = { ...snapshot, position };
    response.json(answer);
  });

  router.patch('/projects/:project', async (request, response) => {
    const user = await sessions.user(request);
    const values = parse(edit, request.body);
    const projectId = idIn(request, 'project');
    const project = await changeProject(db, { user, projectId, to: 'write' }, async (trx) => {
      const data = { id: projectId, ...values };
      await trx.updateTable('projects').set(values).where('id', '=', projectId).execute();
      return { result: data, tells: [{ event: 'project:updated', data }] };
    });
    response.json(project);
  });

  router.post('/projects/:project/columns', async (request, response) => {
    const user = await sessions.user(request);
    const { title } = parse(column, request.body);
    const projectId = idIn(request, 'project');
    const created = await changeProject(db, { user, projectId, to: 'write' }, async (trx) => {
      const data = await trx
        .insertInto('columns')
        .values(({ selectFrom }) => ({
          project_id: projectId,
          title,
          position: selectFrom('columns')
            .select(sql<number>`coalesce(max(position), 0) + 1`.as('next'))
            .where('project_id', '=', projectId),
        }))
        .returning(['id', 'title'])
        .executeTakeFirstOrThrow();
      return { result: data, tells: [{ event: 'column:created', data }] };
    });
    response.status(201).json(created);
  });

  return router;
};
