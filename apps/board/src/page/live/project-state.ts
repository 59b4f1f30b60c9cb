import type {
  Column,
  Member,
  Message,
  Project,
  ProjectEvents,
  ProjectSnapshot,
  Task,
} from '../../contract.ts';

export type ProjectEvent = {
  [Name in keyof ProjectEvents]: { event: Name; data: ProjectEvents[Name] };
}[keyof ProjectEvents];

/** Where somebody here has put a task, which the board has not answered yet. */
export interface Move {
  id: string;
  taskId: string;
  columnId: string;
  position: number;
}

/** What a page knows of its project. */
export interface ProjectState extends Omit<ProjectSnapshot, 'messages'> {
  /** Shown on top of what was told, in their order; `tasks` is only ever what was told. */
  moves: readonly Move[];
  messages: readonly Message[];
  /** Whether there may be older messages than the first. */
  hasOlder: boolean;
  /** What came while a newer snapshot was on its way: it is applied to that one too. */
  held: readonly ProjectEvent[] | undefined;
}

/** What is told between the two belongs to the snapshot too, which may have been read before it. */
export type SnapshotAction<Snapshot> =
  | { type: 'fetching' }
  | { type: 'fetched'; snapshot: Snapshot }
  | { type: 'told'; event: ProjectEvent };

export type Action =
  | SnapshotAction<ProjectSnapshot>
  /** What somebody does here is shown until the board has `answered`, whichever way. */
  | { type: 'moved'; move: Move }
  | { type: 'answered'; moveId: string }
  | { type: 'older'; messages: readonly Message[] }
  | { type: 'read'; upTo: number };

/** As many messages as a snapshot or a page of the history has. */
const MESSAGES_PER_PAGE = 50;

const withOne = <Item extends { id: string }>(items: readonly Item[], item: Item): Item[] =>
  items.some(({ id }) => id === item.id)
    ? items.map((one) => (one.id === item.id ? item : one))
    : [...items, item];

/** An event may tell what a snapshot or an answer has told already: the newer state of a task stays. */
const withTask = (tasks: readonly Task[], task: Task): Task[] => {
  const known = tasks.find(({ id }) => id === task.id);
  return known !== undefined && known.version >= task.version ? [...tasks] : withOne(tasks, task);
};

const withMessages = (known: readonly Message[], more: readonly Message[]): Message[] => {
  const all = new Map([...known, ...more].map((message) => [message.id, message]));
  return [...all.values()].sort((a, b) => a.seq - b.seq);
};

const without = <Item extends { id: string }>(items: readonly Item[], id: string): Item[] =>
  items.filter((item) => item.id !== id);

const byName = (a: Member, b: Member): number => a.name.localeCompare(b.name);

/** The tasks as they are shown: those that are being moved stand where they were put. */
export const shownTasks = ({ tasks, moves }: Pick<ProjectState, 'tasks' | 'moves'>): Task[] =>
  tasks.map((task) => {
    const move = moves.findLast(({ taskId }) => taskId === task.id);
    return move === undefined ? task : { ...task, columnId: move.columnId, position: move.position };
  });

const applied = (state: ProjectState, { event, data }: ProjectEvent): ProjectState => {
  switch (event) {
    case 'task:created':
    case 'task:updated':
    case 'task:moved':
    case 'task:assigned':
      return { ...state, tasks: withTask(state.tasks, data) };
    case 'task:deleted':
      return { ...state, tasks: without(state.tasks, data.id) };
    case 'column:created':
      return { ...state, columns: withOne<Column>(state.columns, data) };
    case 'project:updated':
      return { ...state, project: data satisfies Project };
    case 'member:added':
      return { ...state, members: withOne(state.members, data).sort(byName) };
    case 'member:removed':
      return { ...state, members: without(state.members, data.id) };
    case 'message:sent':
      return { ...state, messages: withMessages(state.messages, [data]) };
    // Comments are shown where they are read, and the task that counts them is told too.
    case 'comment:added':
      return state;
  }
};

const fetched = (before: ProjectState | undefined, snapshot: ProjectSnapshot): ProjectState => {
  const fresh: ProjectState = {
    ...snapshot,
    moves: before?.moves ?? [],
    hasOlder: snapshot.messages.length >= MESSAGES_PER_PAGE,
    held: undefined,
  };
  return (before?.held ?? []).reduce(applied, fresh);
};

export const reduceProject = (state: ProjectState | undefined, action: Action): ProjectState | undefined => {
  if (action.type === 'fetched') return fetched(state, action.snapshot);
  if (state === undefined) return undefined;
  switch (action.type) {
    case 'fetching':
      return { ...state, held: [] };
    case 'told': {
      const held = state.held && [...state.held, action.event];
      return { ...applied(state, action.event), held };
    }
    case 'moved':
      return { ...state, moves: [...state.moves, action.move] };
    case 'answered':
      return { ...state, moves: without(state.moves, action.moveId) };
    case 'older':
      return {
        ...state,
        messages: withMessages(state.messages, action.messages),
        hasOlder: action.messages.length >= MESSAGES_PER_PAGE,
      };
    case 'read':
      return { ...state, readUpTo: Math.max(state.readUpTo, action.upTo), unreadBefore: 0 };
  }
};
