import { writeOutbox } from '@fanfare/publisher/outbox';
import type { InboxEvents, Project, ProjectEvents, User } from '../contract.ts';
import { projectRoom } from '../contract.ts';
import type { Database, Trx } from '../database/database.ts';
import { BoardError } from '../http/error.ts';
import { allow, type Wish } from './access.ts';

type EventOf<Events> = {
  [Name in keyof Events & string]: { event: Name; data: Events[Name] };
}[keyof Events & string];

/** An event for the room of the project, or with `user` for the inbox of one. */
export type Told = EventOf<ProjectEvents> | (EventOf<InboxEvents> & { user: string });

/** What a transaction does, and tells when it is committed. */
export interface Changed<Result> {
  result: Result;
  tells: readonly Told[];
}

/** Who changes what. */
export interface ChangeBy {
  user: User;
  projectId: string;
  to: Wish;
}

/**
 * The only way to change a project: one transaction with its events in the outbox. Whatever fails in it, up to the commit,
 * leaves neither a row nor an event. Changes of one project wait for each other, so events come in the order of the rows.
 */
export const changeProject = <Result>(
  db: Database,
  by: ChangeBy,
  work: (trx: Trx, project: Project) => Promise<Changed<Result>>,
): Promise<Result> =>
  db.transaction().execute(async (trx) => {
    await allow(trx, by.user, by);
    const project = await trx
      .selectFrom('projects')
      .select(['id', 'name', 'status'])
      .where('id', '=', by.projectId)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (project === undefined) throw new BoardError('not_found');
    const { result, tells } = await work(trx, project);
    await writeOutbox(
      trx,
      tells.map((told) => ('user' in told ? told : { ...told, room: projectRoom(by.projectId) })),
    );
    return result;
  });

/** Tells users something in the transaction that stores it. */
export const tellUsers = <Result>(
  db: Database,
  work: (trx: Trx) => Promise<{ result: Result; tells: readonly Extract<Told, { user: string }>[] }>,
): Promise<Result> =>
  db.transaction().execute(async (trx) => {
    const { result, tells } = await work(trx);
    await writeOutbox(trx, tells);
    return result;
  });
