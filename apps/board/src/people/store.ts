import type { DirectMessage, User } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';

/** Everybody who is in a project with a user. */
export const knownBy = (db: Database, userId: string): Promise<User[]> =>
  db
    .selectFrom('members as own')
    .innerJoin('members as other', 'other.project_id', 'own.project_id')
    .innerJoin('users', 'users.id', 'other.user_id')
    .select(['users.id', 'users.name'])
    .distinct()
    .where('own.user_id', '=', userId)
    .where('other.user_id', '!=', userId)
    .orderBy('users.name')
    .execute();

/** The message with this id, if it is one from the first to the second. */
export const findDirectMessage = async (
  trx: Trx,
  id: string,
  [from, to]: readonly [User, User],
): Promise<DirectMessage | undefined> => {
  const row = await trx
    .selectFrom('direct_messages')
    .select(['text', 'created_at'])
    .where('id', '=', id)
    .where('from_id', '=', from.id)
    .where('to_id', '=', to.id)
    .executeTakeFirst();
  return row && { id, from, to, text: row.text, at: row.created_at.getTime() };
};

/** The last messages between two, in their order. */
export const readDirectMessages = async (
  db: Database,
  [one, other]: readonly [User, User],
  limit: number,
): Promise<DirectMessage[]> => {
  const rows = await db
    .selectFrom('direct_messages')
    .selectAll()
    .where((eb) =>
      eb.or([eb.and({ from_id: one.id, to_id: other.id }), eb.and({ from_id: other.id, to_id: one.id })]),
    )
    .orderBy('created_at', 'desc')
    .limit(limit)
    .execute();
  return rows.reverse().map((row) => ({
    id: row.id,
    from: row.from_id === one.id ? one : other,
    to: row.to_id === one.id ? one : other,
    text: row.text,
    at: row.created_at.getTime(),
  }));
};
