import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';

/** Tries within ten minutes: of one address for one name, and of one address for all names. */
const LIMITS = { name: 10, address: 60 };
const WINDOW = sql<Date>`now() + interval '10 minutes'`;

/** Counts a try to sign in, before the password is looked at; throws `too_many_tries` from the limit on. */
export const countTry = async (db: Database, given: { address: string; name: string }): Promise<void> => {
  const keys = [
    { key: `${given.address} ${given.name}`, limit: LIMITS.name },
    { key: given.address, limit: LIMITS.address },
  ];
  for (const { key, limit } of keys) {
    const { tries } = await db
      .insertInto('sign_in_tries')
      .values({ key, tries: 1, until: WINDOW })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet({
          tries: sql`case when sign_in_tries.until < now() then 1 else sign_in_tries.tries + 1 end`,
          until: sql`case when sign_in_tries.until < now() then ${WINDOW} else sign_in_tries.until end`,
        }),
      )
      .returning('tries')
      .executeTakeFirstOrThrow();
    if (tries > limit) throw new BoardError('too_many_tries');
  }
};

/** The right password has come. */
export const forgetTries = async (db: Database, given: { address: string; name: string }): Promise<void> => {
  await db.deleteFrom('sign_in_tries').where('key', '=', `${given.address} ${given.name}`).execute();
};
