import { Router } from 'express';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import type { Message } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { idIn, parse, text } from '../http/parse.ts';
import { allow } from '../room/access.ts';
import { changeProject } from '../room/change.ts';
import { tellMentioned } from '../room/mentions.ts';
import { findMessage, readMessages } from './store.ts';

const send = z.strictObject({ id: z.uuid(), text: text(4000) });
const page = z.object({
  before: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .optional(),
});
const read = z.strictObject({
  upTo: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
});

const MESSAGES = 50;

/** The chat of a project. Messages are rows, and told as every other change is; only typing goes by socket. */
export const chatRoutes = ({ db, sessions }: { db: Database; sessions: Sessions }): Router => {
  const router = Router();

  router.get('/projects/:project/messages', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    const { before } = parse(page, request.query);
    await allow(db, user, { projectId, to: 'look' });
    response.json({ messages: await readMessages(db, { projectId, before, limit: MESSAGES }) });
  });

  router.post('/projects/:project/messages', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    const given = parse(send, request.body);
    const message = await changeProject(db, { user, projectId, to: 'write' }, async (trx, project) => {
      const row = await trx
        .insertInto('messages')
        .values({ id: given.id, project_id: projectId, author_id: user.id, text: given.text })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning(['seq', 'created_at'])
        .executeTakeFirst();
      if (row === undefined) {
        // Sent again because the first answer was lost: it is there, and it has been told.
        const sent = await findMessage(trx, { id: given.id, projectId, authorId: user.id });
        if (sent === undefined) throw new BoardError('invalid', 'This id is that of another message');
        return { result: sent, tells: [] };
      }
      const data: Message = {
        id: given.id,
        seq: row.seq,
        author: user,
        text: given.text,
        at: row.created_at.getTime(),
      };
      const mentioned = await tellMentioned(trx, { by: user, project, text: given.text });
      return { result: data, tells: [{ event: 'message:sent', data }, ...mentioned] };
    });
    response.status(201).json(message);
  });

  router.put('/projects/:project/read', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    const { upTo } = parse(read, request.body);
    await db
      .updateTable('members')
      .set({ read_up_to: upTo })
      .where('project_id', '=', projectId)
      .where('user_id', '=', user.id)
      .where('read_up_to', '<', upTo)
      .execute();
    response.status(204).end();
  });

  return router;
};
