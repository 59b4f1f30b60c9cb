import { sql } from 'kysely';
import type { Message } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';

/** The last messages of a project in their order, or those before `before`. */
export const readMessages = async (
  db: Database | Trx,
  { projectId, before, limit }: { projectId: string; before?: number | undefined; limit: number },
): Promise<Message[]> => {
  const rows = await selectMessages(db)
    .where('messages.project_id', '=', projectId)
    .$if(before !== undefined, (query) => query.where('messages.seq', '<', before ?? 0))
    .orderBy('messages.seq', 'desc')
    .limit(limit)
    .execute();
  return rows.reverse().map(toMessage);
};

/** A message by its id, if it is one of this project and author. */
export const findMessage = async (
  db: Database | Trx,
  where: { id: string; projectId: string; authorId: string },
): Promise<Message | undefined> => {
  const row = await selectMessages(db)
    .where('messages.id', '=', where.id)
    .where('messages.project_id', '=', where.projectId)
    .where('messages.author_id', '=', where.authorId)
    .executeTakeFirst();
  return row && toMessage(row);
};

/** How many messages of others before `seq` a member has not seen. */
export const countUnread = async (
  db: Database | Trx,
  { projectId, userId, seq }: { projectId: string; userId: string; seq: number },
): Promise<number> => {
  const { unread } = await db
    .selectFrom('messages')
    .innerJoin('members', 'members.project_id', 'messages.project_id')
    .select(sql<number>`count(*)::int`.as('unread'))
    .where('messages.project_id', '=', projectId)
    .where('members.user_id', '=', userId)
    .where('messages.author_id', '!=', userId)
    .where('messages.seq', '<', seq)
    .whereRef('messages.seq', '>', 'members.read_up_to')
    .executeTakeFirstOrThrow();
  return unread;
};

const selectMessages = (db: Database | Trx) =>
  db
    .selectFrom('messages')
    .innerJoin('users', 'users.id', 'messages.author_id')
    .select([
      'messages.id',
      'messages.seq',
      'messages.author_id',
      'users.name',
      'messages.text',
      'messages.created_at',
    ]);

const toMessage = (row: {
  id: string;
  seq: number;
  author_id: string;
  name: string;
  text: string;
  created_at: Date;
}): Message => ({
  id: row.id,
  seq: row.seq,
  author: { id: row.author_id, name: row.name },
  text: row.text,
  at: row.created_at.getTime(),
});
