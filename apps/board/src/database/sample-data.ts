import { randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import { hashPassword } from '../accounts/passwords.ts';
import type { Role } from '../contract.ts';
import type { Database, Trx } from './database.ts';
import type { Tables } from './tables.ts';

export const SAMPLE_USERS = ['ada', 'grace', 'linus'] as const;
export const SAMPLE_PASSWORD = 'fanfare-sample';

const ROLES: Record<(typeof SAMPLE_USERS)[number], Role> = { ada: 'owner', grace: 'member', linus: 'viewer' };

const COLUMNS: readonly {
  title: string;
  tasks: readonly { title: string; of?: string; description?: string }[];
}[] = [
  {
    title: 'To do',
    tasks: [
      {
        title: 'Write the release notes',
        of: 'grace',
        description: 'What is new, what breaks, how to move over.',
      },
      { title: 'Draw the seating plan for the launch dinner' },
      { title: 'Ask three teams to try the beta', of: 'ada' },
    ],
  },
  {
    title: 'Doing',
    tasks: [
      {
        title: 'Record the two-minute demo',
        of: 'ada',
        description: 'Two browsers side by side, then pull a cable.',
      },
      { title: 'Translate the sign-up page', of: 'grace' },
    ],
  },
  { title: 'Review', tasks: [{ title: 'Pick the launch date', of: 'grace' }] },
  { title: 'Done', tasks: [{ title: 'Book the brass band', of: 'ada' }, { title: 'Order the banner' }] },
];

/** Said so many minutes ago. */
const MESSAGES: readonly (readonly [minutes: number, name: string, text: string])[] = [
  [24, 'ada', 'Good morning! The band is booked, 7 pm on launch day.'],
  [22, 'grace', 'Wonderful. I am halfway through the sign-up page.'],
  [15, 'ada', 'Shall we pull the plug of a gateway during the demo?'],
  [14, 'grace', 'Yes please. Nobody will notice, that is the point.'],
  [14, 'ada', 'Then I record it with two browsers side by side.'],
  [6, 'grace', '@ada the launch date is still open, see Review.'],
];

const COMMENTS: readonly (readonly [name: string, task: string, text: string])[] = [
  ['grace', 'Record the two-minute demo', 'Use the dark theme, it looks better on the projector.'],
  ['ada', 'Pick the launch date', 'Any Thursday suits the band.'],
];

const addUsers = async (trx: Trx): Promise<Map<string, string>> => {
  const password = await hashPassword(SAMPLE_PASSWORD);
  const users = await trx
    .insertInto('users')
    .values(SAMPLE_USERS.map((name) => ({ name, password })))
    .returning(['id', 'name'])
    .execute();
  return new Map(users.map(({ id, name }) => [name, id]));
};

const addTasks = async (trx: Trx, projectId: string, idOf: (name: string) => string) => {
  const taskIds = new Map<string, string>();
  for (const [index, column] of COLUMNS.entries()) {
    const { id: columnId } = await trx
      .insertInto('columns')
      .values({ project_id: projectId, title: column.title, position: index })
      .returning('id')
      .executeTakeFirstOrThrow();
    const rows = column.tasks.map(({ title, description = '', of }, position) => ({
      project_id: projectId,
      column_id: columnId,
      title,
      description,
      assignee_id: of === undefined ? null : idOf(of),
      position: (position + 1) * 1024,
    }));
    const added: Pick<Selectable<Tables['tasks']>, 'id' | 'title'>[] = await trx
      .insertInto('tasks')
      .values(rows)
      .returning(['id', 'title'])
      .execute();
    for (const { id, title } of added) taskIds.set(title, id);
  }
  return taskIds;
};

/** Fills an empty database with three accounts and a project that they share: an owner, a member and a viewer. */
export const addSampleData = async (db: Database): Promise<void> => {
  await db.transaction().execute(async (trx) => {
    const somebody = await trx.selectFrom('users').select('id').limit(1).executeTakeFirst();
    if (somebody !== undefined) return;
    const users = await addUsers(trx);
    const idOf = (name: string) => users.get(name) ?? '';
    const { id: projectId } = await trx
      .insertInto('projects')
      .values({ name: 'Launch day', status: 'active' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const members = SAMPLE_USERS.map((name) => ({
      project_id: projectId,
      user_id: idOf(name),
      role: ROLES[name],
    }));
    await trx.insertInto('members').values(members).execute();
    const tasks = await addTasks(trx, projectId, idOf);
    for (const [minutes, name, text] of MESSAGES) {
      await trx
        .insertInto('messages')
        .values({
          id: randomUUID(),
          project_id: projectId,
          author_id: idOf(name),
          text,
          created_at: new Date(Date.now() - minutes * 60_000),
        })
        .execute();
    }
    const comments = COMMENTS.map(([name, task, text]) => ({
      project_id: projectId,
      task_id: tasks.get(task) ?? '',
      author_id: idOf(name),
      text,
    }));
    await trx.insertInto('comments').values(comments).execute();
  });
};
