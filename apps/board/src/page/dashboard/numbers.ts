import type { Comment, DashboardSnapshot, Message, Task } from '../../contract.ts';
import type { ProjectEvent, SnapshotAction } from '../live/project-state.ts';

/** What a dashboard shows; it stays true by the events of the room. */
export type Numbers = DashboardSnapshot;

const COMMENTS = 20;
const MINUTE_MS = 60_000;
/** Minutes of the chart. */
const MINUTES = 30;

const withTask = (numbers: Numbers, task: Pick<Task, 'id' | 'columnId' | 'version'>): Numbers => {
  const known = numbers.tasks.find(({ id }) => id === task.id);
  if (known !== undefined && known.version >= task.version) return numbers;
  const { id, columnId, version } = task;
  return {
    ...numbers,
    tasks: [...numbers.tasks.filter((one) => one.id !== id), { id, columnId, version }],
  };
};

const withComment = (numbers: Numbers, comment: Comment): Numbers =>
  numbers.comments.some(({ id }) => id === comment.id)
    ? numbers
    : { ...numbers, comments: [comment, ...numbers.comments].slice(0, COMMENTS) };

const withMessage = (numbers: Numbers, { id, at }: Message): Numbers =>
  numbers.messages.some((known) => known.id === id)
    ? numbers
    : {
        ...numbers,
        messages: [...numbers.messages.filter((known) => known.at > at - MINUTES * MINUTE_MS), { id, at }],
      };

export const applyEvent = (numbers: Numbers, { event, data }: ProjectEvent): Numbers => {
  switch (event) {
    case 'task:created':
    case 'task:updated':
    case 'task:moved':
    case 'task:assigned':
      return withTask(numbers, data);
    case 'task:deleted':
      return { ...numbers, tasks: numbers.tasks.filter(({ id }) => id !== data.id) };
    case 'column:created':
      return numbers.columns.some(({ id }) => id === data.id)
        ? numbers
        : { ...numbers, columns: [...numbers.columns, data] };
    case 'comment:added':
      return withComment(numbers, data);
    case 'message:sent':
      return withMessage(numbers, data);
    case 'project:updated':
      return { ...numbers, project: data };
    default:
      return numbers;
  }
};

export interface NumbersState {
  numbers: Numbers;
  /** What came while a newer snapshot was on its way: it is applied to that one too. */
  held: readonly ProjectEvent[] | undefined;
}

export const reduceNumbers = (
  state: NumbersState | undefined,
  action: SnapshotAction<DashboardSnapshot>,
): NumbersState | undefined => {
  if (action.type === 'fetched') {
    return { numbers: (state?.held ?? []).reduce(applyEvent, action.snapshot), held: undefined };
  }
  if (state === undefined) return undefined;
  if (action.type === 'fetching') return { ...state, held: [] };
  const { event } = action;
  return { numbers: applyEvent(state.numbers, event), held: state.held && [...state.held, event] };
};

/** Messages of each of the last minutes, the current one last. */
export const perMinute = (messages: Numbers['messages'], now: number): number[] => {
  const counts = Array.from({ length: MINUTES }, () => 0);
  for (const { at } of messages) {
    const index = MINUTES - 1 - Math.floor((now - at) / MINUTE_MS);
    // A clock that is behind the server's sees the newest messages in the future.
    const minute = Math.min(index, MINUTES - 1);
    if (minute >= 0) counts[minute] = (counts[minute] ?? 0) + 1;
  }
  return counts;
};
