import { Router } from 'express';
import { z } from 'zod';
import type { Sessions } from '../accounts/sessions.ts';
import type { DirectMessage, User } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { idIn, parse, text } from '../http/parse.ts';
import { tellUsers } from '../room/change.ts';
import { findDirectMessage, knownBy, readDirectMessages } from './store.ts';

const direct = z.strictObject({ id: z.uuid(), text: text(4000) });

const MESSAGES = 100;

/** Private messages, to whoever is in a project with the sender: stored, and told to the inboxes of both. */
export const peopleRoutes = ({ db, sessions }: { db: Database; sessions: Sessions }): Router => {
  const router = Router();

  const other = async (user: User, id: string): Promise<User> => {
    const found = (await knownBy(db, user.id)).find((one) => one.id === id);
    if (found === undefined)
      throw new BoardError('not_found', 'There is nobody of this name in your projects');
    return found;
  };

  router.get('/people', async (request, response) => {
    const user = await sessions.user(request);
    response.json({ people: await knownBy(db, user.id) });
  });

  router.get('/people/:person/messages', async (request, response) => {
    const user = await sessions.user(request);
    const person = await other(user, idIn(request, 'person'));
    response.json({ messages: await readDirectMessages(db, [user, person], MESSAGES) });
  });

  router.post('/people/:person/messages', async (request, response) => {
    const user = await sessions.user(request);
    const to = await other(user, idIn(request, 'person'));
    const given = parse(direct, request.body);
    const message = await tellUsers(db, async (trx) => {
      const row = await trx
        .insertInto('direct_messages')
        .values({ id: given.id, from_id: user.id, to_id: to.id, text: given.text })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('created_at')
        .executeTakeFirst();
      if (row === undefined) {
        // Sent again because the first answer was lost: it is there, and it has been told.
        const sent = await findDirectMessage(trx, given.id, [user, to]);
        if (sent === undefined) throw new BoardError('invalid', 'This id is that of another message');
        return { result: sent, tells: [] };
      }
      const at = row.created_at.getTime();
      const data: DirectMessage = { id: given.id, from: user, to, text: given.text, at };
      const tells = [to, user].map(({ id }) => ({ user: id, event: 'direct:sent' as const, data }));
      return { result: data, tells };
    });
    response.status(201).json(message);
  });

  return router;
};
