import { expect, test } from 'vitest';
import type { ProjectSnapshot, Task } from '../../contract.ts';
import { type Action, type ProjectState, reduceProject, shownTasks } from './project-state.ts';

const task = (changes: Partial<Task> = {}): Task => ({
  id: 't',
  columnId: 'to-do',
  title: 'Sweep',
  description: '',
  assigneeId: null,
  position: 1,
  version: 1,
  comments: 0,
  ...changes,
});

const SNAPSHOT: ProjectSnapshot = {
  project: { id: 'p', name: 'Launch', status: 'active' },
  columns: [],
  tasks: [task()],
  members: [],
  messages: [],
  readUpTo: 0,
  unreadBefore: 0,
  position: null,
};

const after = (...actions: Action[]): ProjectState => {
  const state = [{ type: 'fetched' as const, snapshot: SNAPSHOT }, ...actions].reduce(
    reduceProject,
    undefined as ProjectState | undefined,
  );
  if (state === undefined) throw new Error('nothing was fetched');
  return state;
};

const moved = (id: string, columnId: string): Action => ({
  type: 'moved',
  move: { id, taskId: 't', columnId, position: 7 },
});
const answered = (moveId: string): Action => ({ type: 'answered', moveId });
const told = (data: Task): Action => ({ type: 'told', event: { event: 'task:updated', data } });

test('a refused move leaves a task that was changed meanwhile as it was changed', () => {
  const renamed = task({ title: 'Sweep well', version: 2 });
  const during = after(moved('1', 'doing'), told(renamed));
  expect(shownTasks(during)).toEqual([{ ...renamed, columnId: 'doing', position: 7 }]);
  expect(shownTasks(after(moved('1', 'doing'), told(renamed), answered('1')))).toEqual([renamed]);
});

test('a refused move does not bring back a task that was deleted meanwhile', () => {
  const deleted: Action = { type: 'told', event: { event: 'task:deleted', data: { id: 't' } } };
  expect(shownTasks(after(moved('1', 'doing'), deleted))).toEqual([]);
  expect(shownTasks(after(moved('1', 'doing'), deleted, answered('1')))).toEqual([]);
});

test('the answer to a move does not take a task back from where it was put since', () => {
  const first = [moved('1', 'doing'), moved('2', 'review'), told(task({ columnId: 'doing', version: 2 }))];
  expect(shownTasks(after(...first, answered('1')))).toMatchObject([{ columnId: 'review' }]);
  const second = [told(task({ columnId: 'review', position: 3, version: 3 })), answered('2')];
  expect(shownTasks(after(...first, answered('1'), ...second))).toMatchObject([
    { columnId: 'review', position: 3 },
  ]);
});

test('a snapshot that comes while a task is moved does not take it back', () => {
  const fetched: Action = { type: 'fetched', snapshot: SNAPSHOT };
  expect(shownTasks(after(moved('1', 'doing'), { type: 'fetching' }, fetched))).toMatchObject([
    { columnId: 'doing' },
  ]);
});
