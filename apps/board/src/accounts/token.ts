import { SignJWT } from 'jose';
import { projectRoom, type User } from '../contract.ts';
import type { Database } from '../database/database.ts';

/** Short, because what a token grants is read from the database when it is made; the client fetches the next one. */
const LIFE_SECONDS = 5 * 60;

/** What the cluster lets a user's sockets do: each project's room by the role in it. Nothing is published by sockets. */
const roomsOf = async (db: Database, userId: string): Promise<Record<string, string[]>> => {
  const memberships = await db
    .selectFrom('members')
    .select(['project_id', 'role'])
    .where('user_id', '=', userId)
    .execute();
  return Object.fromEntries(
    memberships.map(({ project_id, role }) => [
      projectRoom(project_id),
      role === 'viewer' ? ['join', 'presence'] : ['join', 'presence', 'signal'],
    ]),
  );
};

/** Most people that a token lists: those of the first projects. */
const PEOPLE = 200;

/** Whom a user may hug: everybody who is in a project with them. */
const peopleOf = async (db: Database, userId: string): Promise<string[]> => {
  const others = await db
    .selectFrom('members as own')
    .innerJoin('members as other', 'other.project_id', 'own.project_id')
    .select('other.user_id')
    .distinct()
    .where('own.user_id', '=', userId)
    .where('other.user_id', '!=', userId)
    .limit(PEOPLE)
    .execute();
  return others.map(({ user_id }) => user_id);
};

/** A token for the sockets of a user's login, with which it ends. */
export const issueToken = async (
  db: Database,
  { user, sid }: { user: User; sid: string },
  secret: string,
): Promise<string> => {
  const [rooms, users] = await Promise.all([roomsOf(db, user.id), peopleOf(db, user.id)]);
  const claims = { sid, rooms, users, info: { name: user.name } };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user.id)
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + LIFE_SECONDS)
    .sign(new TextEncoder().encode(secret));
};
