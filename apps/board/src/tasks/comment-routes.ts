import { Router } from 'express';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import type { Comment } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { idIn, parse, text } from '../http/parse.ts';
import { allow, projectOf } from '../room/access.ts';
import { changeProject } from '../room/change.ts';
import { tellMentioned } from '../room/mentions.ts';
import { readComments, readTask, updateTask } from './store.ts';

const comment = z.strictObject({ text: text(4000) });

const COMMENTS = 200;

export const commentRoutes = ({ db, sessions }: { db: Database; sessions: Sessions }): Router => {
  const router = Router();

  router.get('/tasks/:task/comments', async (request, response) => {
    const user = await sessions.user(request);
    const taskId = idIn(request, 'task');
    await allow(db, user, { projectId: await projectOf(db, taskId), to: 'look' });
    response.json({ comments: await readComments(db, { task_id: taskId }, COMMENTS) });
  });

  router.post('/tasks/:task/comments', async (request, response) => {
    const user = await sessions.user(request);
    const given = parse(comment, request.body);
    const taskId = idIn(request, 'task');
    const projectId = await projectOf(db, taskId);
    const added = await changeProject(db, { user, projectId, to: 'write' }, async (trx, project) => {
      const task = await readTask(trx, taskId);
      const row = await trx
        .insertInto('comments')
        .values({ project_id: projectId, task_id: taskId, author_id: user.id, text: given.text })
        .returning(['id', 'created_at'])
        .executeTakeFirstOrThrow();
      const data: Comment = {
        id: row.id,
        taskId,
        taskTitle: task.title,
        author: user,
        text: given.text,
        at: row.created_at.getTime(),
      };
      // The task counts its comments, so it has changed too.
      const counted = await updateTask(trx, taskId, {});
      const mentioned = await tellMentioned(trx, { by: user, project, text: given.text });
      return {
        result: data,
        tells: [{ event: 'comment:added', data }, { event: 'task:updated', data: counted }, ...mentioned],
      };
    });
    response.status(201).json(added);
  });

  return router;
};
