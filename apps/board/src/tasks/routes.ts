import { Router } from 'express';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { idIn, parse, plain, text } from '../http/parse.ts';
import { allow, projectOf } from '../room/access.ts';
import { type Changed, changeProject, type Told } from '../room/change.ts';
import { assertColumn, placeIn, readTask, updateTask } from './store.ts';

const create = z.strictObject({ columnId: z.uuid(), title: text(200) });
const edit = z.strictObject({
  title: text(200),
  description: plain.trim().max(10_000),
  /** Of the state that was edited: an edit of an older one is refused, so that nobody's words are lost. */
  version: z.int(),
});
const move = z.strictObject({ columnId: z.uuid(), beforeId: z.uuid().nullable() });
const assign = z.strictObject({ userId: z.uuid().nullable() });

/** Tasks: each change is one transaction with its event. */
export const taskRoutes = ({ db, sessions }: { db: Database; sessions: Sessions }): Router => {
  const router = Router();

  router.post('/projects/:project/tasks', async (request, response) => {
    const user = await sessions.user(request);
    const { columnId, title } = parse(create, request.body);
    const projectId = idIn(request, 'project');
    const task = await changeProject(db, { user, projectId, to: 'write' }, async (trx) => {
      await assertColumn(trx, projectId, columnId);
      const { position } = await placeIn(trx, columnId, { beforeId: null });
      const { id } = await trx
        .insertInto('tasks')
        .values({ project_id: projectId, column_id: columnId, title, position })
        .returning('id')
        .executeTakeFirstOrThrow();
      const created = await readTask(trx, id);
      return { result: created, tells: [{ event: 'task:created', data: created }] };
    });
    response.status(201).json(task);
  });

  router.patch('/tasks/:task', async (request, response) => {
    const user = await sessions.user(request);
    const { version, ...values } = parse(edit, request.body);
    const taskId = idIn(request, 'task');
    const projectId = await projectOf(db, taskId);
    const task = await changeProject(db, { user, projectId, to: 'write' }, async (trx) => {
      const before = await readTask(trx, taskId);
      const isSame = before.title === values.title && before.description === values.description;
      if (isSame) return { result: before, tells: [] };
      if (before.version !== version) throw new BoardError('outdated');
      const updated = await updateTask(trx, taskId, values);
      return { result: updated, tells: [{ event: 'task:updated', data: updated }] };
    });
    response.json(task);
  });

  router.post('/tasks/:task/move', async (request, response) => {
    const user = await sessions.user(request);
    const { columnId, beforeId } = parse(move, request.body);
    const taskId = idIn(request, 'task');
    const projectId = await projectOf(db, taskId);
    const task = await changeProject(db, { user, projectId, to: 'write' }, async (trx) => {
      await assertColumn(trx, projectId, columnId);
      const { position, renumbered } = await placeIn(trx, columnId, { taskId, beforeId });
      const moved = await updateTask(trx, taskId, { column_id: columnId, position });
      const tells = [...renumbered, moved].map((data) => ({ event: 'task:moved' as const, data }));
      return { result: moved, tells };
    });
    response.json(task);
  });

  router.put('/tasks/:task/assignee', async (request, response) => {
    const user = await sessions.user(request);
    const { userId } = parse(assign, request.body);
    const taskId = idIn(request, 'task');
    const projectId = await projectOf(db, taskId);
    const task = await changeProject(db, { user, projectId, to: 'write' }, async (trx, project) => {
      if (userId !== null) await allow(trx, { id: userId, name: '' }, { projectId, to: 'look' });
      const assigned = await updateTask(trx, taskId, { assignee_id: userId });
      const tells: Told[] = [{ event: 'task:assigned', data: assigned }];
      if (userId !== null && userId !== user.id) {
        const data = { kind: 'assigned', by: user, project, text: assigned.title } as const;
        tells.push({ user: userId, event: 'notified', data });
      }
      return { result: assigned, tells };
    });
    response.json(task);
  });

  router.delete('/tasks/:task', async (request, response) => {
    const user = await sessions.user(request);
    const taskId = idIn(request, 'task');
    const projectId = await projectOf(db, taskId);
    await changeProject(db, { user, projectId, to: 'write' }, async (trx): Promise<Changed<void>> => {
      await trx.deleteFrom('tasks').where('id', '=', taskId).execute();
      return { result: undefined, tells: [{ event: 'task:deleted', data: { id: taskId } }] };
    });
    response.status(204).end();
  });

  return router;
};
