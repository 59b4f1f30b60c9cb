import { Router } from 'express';
import { z } from 'zod';
import type { Me } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { SAMPLE_PASSWORD, SAMPLE_USERS } from '../database/sample-data.ts';
import { BoardError } from '../http/error.ts';
import { parse, plain } from '../http/parse.ts';
import { hashPassword, isPassword } from './passwords.ts';
import type { Sessions } from './sessions.ts';
import { countTry, forgetTries } from './sign-in-limit.ts';
import { issueToken } from './token.ts';

const name = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[a-z0-9][a-z0-9-]{1,29}$/, 'A name has 2 to 30 letters, digits and dashes');

const signUp = z.strictObject({
  name,
  password: z.string().min(8, 'A password has at least 8 characters').max(200),
});
const signIn = z.strictObject({
  name: plain.trim().toLowerCase().max(200),
  password: z.string().max(200),
});

export interface AccountsDeps {
  db: Database;
  sessions: Sessions;
  tokenSecret: string;
  sampleData: boolean;
}

export const accountRoutes = ({ db, sessions, tokenSecret, sampleData }: AccountsDeps): Router => {
  const router = Router();

  router.get('/me', async (request, response) => {
    const samples = sampleData ? SAMPLE_USERS.map((one) => ({ name: one, password: SAMPLE_PASSWORD })) : [];
    const answer: Me = { user: (await sessions.find(request)) ?? null, samples };
    response.json(answer);
  });

  router.post('/users', async (request, response) => {
    const given = parse(signUp, request.body);
    await countTry(db, { address: request.ip ?? '', name: given.name });
    const user = await db
      .insertInto('users')
      .values({ name: given.name, password: await hashPassword(given.password) })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning(['id', 'name'])
      .executeTakeFirst();
    if (user === undefined) throw new BoardError('name_taken');
    await sessions.begin(request, response, user.id);
    response.status(201).json(user);
  });

  router.post('/session', async (request, response) => {
    const given = parse(signIn, request.body);
    const origin = { address: request.ip ?? '', name: given.name };
    await countTry(db, origin);
    const found = await db
      .selectFrom('users')
      .select(['id', 'name', 'password'])
      .where('name', '=', given.name)
      .executeTakeFirst();
    const isRight = await isPassword(given.password, found?.password);
    if (found === undefined || !isRight) throw new BoardError('wrong_password');
    await forgetTries(db, origin);
    await sessions.begin(request, response, found.id);
    response.status(201).json({ id: found.id, name: found.name });
  });

  router.delete('/session', async (request, response) => {
    await sessions.end(request, response);
    response.status(204).end();
  });

  router.post('/token', async (request, response) => {
    const user = await sessions.user(request);
    response.json({ token: await issueToken(db, { user, sid: sessions.sid(request) }, tokenSecret) });
  });

  return router;
};
