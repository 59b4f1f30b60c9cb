import { createHash, randomBytes } from 'node:crypto';
import type { CookieOptions, Request, Response } from 'express';
import type { User } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { type Orders, revoke } from '../room/orders.ts';

const COOKIE = 'board_session';
const SESSION_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The database holds only the hash: who reads it cannot sign in with what stands there. */
const hashOf = (id: string): string => createHash('sha256').update(id).digest('base64url');

/** Names the login in its tokens. */
const sidOf = (idHash: string): string => hashOf(idHash);

const cookieOf = (request: Request): string | undefined =>
  new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1];

const cookieOptions = (request: Request): CookieOptions => ({
  httpOnly: true,
  sameSite: 'lax',
  secure: request.secure,
  path: '/board',
});

/** Who is signed in with the cookie of a request. */
export interface Sessions {
  /** Undefined for nobody. */
  find(request: Request): Promise<User | undefined>;
  /** Throws `signed_out` for nobody. */
  user(request: Request): Promise<User>;
  /** The login of a request, as its tokens name it. */
  sid(request: Request): string;
  /** A fresh session in place of any that the request has. */
  begin(request: Request, response: Response, userId: string): Promise<void>;
  end(request: Request, response: Response): Promise<void>;
}

export const createSessions = (db: Database, orders: Orders): Sessions => {
  const find: Sessions['find'] = async (request) => {
    const id = cookieOf(request);
    if (id === undefined) return undefined;
    return db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select(['users.id', 'users.name'])
      .where('sessions.id_hash', '=', hashOf(id))
      .where('sessions.expires_at', '>', new Date())
      .executeTakeFirst();
  };
  const forget = async (request: Request) => {
    const id = cookieOf(request);
    if (id === undefined) return;
    await db.transaction().execute(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom('sessions')
        .where('id_hash', '=', hashOf(id))
        .executeTakeFirst();
      if (numDeletedRows > 0n) await revoke(trx, sidOf(hashOf(id)));
    });
    void orders.settle();
  };
  return {
    find,
    user: async (request) => {
      const user = await find(request);
      if (user === undefined) throw new BoardError('signed_out');
      return user;
    },
    sid: (request) => sidOf(hashOf(cookieOf(request) ?? '')),
    begin: async (request, response, userId) => {
      await forget(request);
      await db.deleteFrom('sessions').where('expires_at', '<', new Date()).execute();
      const id = randomBytes(32).toString('base64url');
      const expires = new Date(Date.now() + SESSION_DAYS * DAY_MS);
      await db
        .insertInto('sessions')
        .values({ id_hash: hashOf(id), user_id: userId, expires_at: expires })
        .execute();
      response.cookie(COOKIE, id, { ...cookieOptions(request), expires });
    },
    end: async (request, response) => {
      await forget(request);
      response.clearCookie(COOKIE, cookieOptions(request));
    },
  };
};
