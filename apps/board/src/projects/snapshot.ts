import type { Column, Member, Message, Project, ProjectSnapshot, Task } from '../contract.ts';
import type { Database } from '../database/database.ts';

const MESSAGES = 50;

type Snapshot = Omit<ProjectSnapshot, 'position'>;

export const readProject = (db: Database, projectId: string): Promise<Project> =>
  db
    .selectFrom('projects')
    .select(['id', 'name', 'status'])
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();

export const readColumns = (db: Database, projectId: string): Promise<Column[]> =>
  db
    .selectFrom('columns')
    .select(['id', 'title'])
    .where('project_id', '=', projectId)
    .orderBy('position')
    .execute();

const readMembers = (db: Database, projectId: string): Promise<Member[]> =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select(['users.id', 'users.name', 'members.role'])
    .where('members.project_id', '=', projectId)
    .orderBy('users.name')
    .execute();

const readUpTo = async (db: Database, projectId: string, userId: string): Promise<number> => {
  const member = await db
    .selectFrom('members')
    .select('read_up_to')
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return member?.read_up_to ?? 0;
};

export interface SnapshotReaders {
  tasks: (db: Database, projectId: string) => Promise<Task[]>;
  messages: (db: Database, query: { projectId: string; limit: number }) => Promise<Message[]>;
  unreadBefore: (db: Database, query: { projectId: string; userId: string; seq: number }) => Promise<number>;
}

/** All that a page shows of a project, in one state of the database. */
export const readSnapshot = (
  db: Database,
  { projectId, userId }: { projectId: string; userId: string },
  { tasks, messages, unreadBefore }: SnapshotReaders,
): Promise<Snapshot> =>
  db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const shown = await messages(trx, { projectId, limit: MESSAGES });
      const seq = shown[0]?.seq ?? 0;
      return {
        project: await readProject(trx, projectId),
        columns: await readColumns(trx, projectId),
        tasks: await tasks(trx, projectId),
        members: await readMembers(trx, projectId),
        messages: shown,
        readUpTo: await readUpTo(trx, projectId, userId),
        unreadBefore: await unreadBefore(trx, { projectId, userId, seq }),
      };
    });
