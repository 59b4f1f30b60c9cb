import { Router } from 'express';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import { type Member, ROLES } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { idIn, parse, plain } from '../http/parse.ts';
import { type Changed, changeProject, type Told } from '../room/change.ts';
import { type Orders, putOut } from '../room/orders.ts';

const invite = z.strictObject({
  name: plain.trim().toLowerCase().max(30),
  role: z.enum(ROLES).exclude(['owner']),
});

export interface MembersDeps {
  db: Database;
  sessions: Sessions;
  orders: Orders;
}

/** Who takes part in a project, which its owner says. */
export const memberRoutes = ({ db, sessions, orders }: MembersDeps): Router => {
  const router = Router();

  router.post('/projects/:project/members', async (request, response) => {
    const user = await sessions.user(request);
    const { name, role } = parse(invite, request.body);
    const projectId = idIn(request, 'project');
    const member = await changeProject(db, { user, projectId, to: 'own' }, async (trx, project) => {
      const found = await trx
        .selectFrom('users')
        .select(['id', 'name'])
        .where('name', '=', name)
        .executeTakeFirst();
      if (found === undefined) throw new BoardError('not_found', `There is nobody called "${name}"`);
      if (found.id === user.id) throw new BoardError('invalid', 'You are the owner already');
      const before = await trx
        .selectFrom('members')
        .select('role')
        .where('project_id', '=', projectId)
        .where('user_id', '=', found.id)
        .executeTakeFirst();
      await trx
        .insertInto('members')
        .values({ project_id: projectId, user_id: found.id, role })
        .onConflict((conflict) => conflict.columns(['project_id', 'user_id']).doUpdateSet({ role }))
        .execute();
      // Tokens that still allow signals: with the next one the page comes back by itself.
      if (before !== undefined && before.role !== role && role === 'viewer') {
        await putOut(trx, { projectId, userId: found.id });
      }
      const data: Member = { ...found, role };
      if (before?.role === role) return { result: data, tells: [] };
      const news = before
        ? ({ kind: 'role', text: role } as const)
        : ({ kind: 'invited', text: project.name } as const);
      const tells: Told[] = [
        { event: 'member:added', data },
        { user: found.id, event: 'notified', data: { ...news, by: user, project } },
      ];
      return { result: data, tells };
    });
    void orders.settle();
    response.status(201).json(member);
  });

  router.delete('/projects/:project/members/:member', async (request, response) => {
    const user = await sessions.user(request);
    const projectId = idIn(request, 'project');
    const memberId = idIn(request, 'member');
    if (memberId === user.id) throw new BoardError('invalid', 'The owner stays');
    await changeProject(db, { user, projectId, to: 'own' }, async (trx): Promise<Changed<void>> => {
      const { numDeletedRows } = await trx
        .deleteFrom('members')
        .where('project_id', '=', projectId)
        .where('user_id', '=', memberId)
        .executeTakeFirst();
      if (numDeletedRows === 0n) throw new BoardError('not_found');
      await putOut(trx, { projectId, userId: memberId });
      return { result: undefined, tells: [{ event: 'member:removed', data: { id: memberId } }] };
    });
    await orders.settle();
    response.status(204).end();
  });

  return router;
};
