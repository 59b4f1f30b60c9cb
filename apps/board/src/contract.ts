// What the backend and its page say to each other: types alone, so that the page bundles nothing of the backend.

export const ROLES = ['owner', 'member', 'viewer'] as const;
/** An owner may change who takes part; a member may write; a viewer may only look. */
export type Role = (typeof ROLES)[number];

export const PROJECT_STATUSES = ['planned', 'active', 'on-hold', 'done'] as const;
export type ProjectStatus = (typeof PROJECT_STATUSES)[number];

/** The room of a project: its tasks, comments and chat in one order. */
export const projectRoom = (projectId: string): string => `project:${projectId}`;
/** The logged room of each user, which the cluster opens to that user alone. */
export const INBOX = 'inbox:me';

/** Where a room's log was when a snapshot was read: join with it, and what follows is all that changed since. */
export interface Position {
  epoch: string;
  offset: number;
}

export interface User {
  id: string;
  name: string;
}

export interface Member extends User {
  role: Role;
}

export interface Project {
  id: string;
  name: string;
  status: ProjectStatus;
}

export interface Column {
  id: string;
  title: string;
}

export interface Task {
  id: string;
  columnId: string;
  title: string;
  description: string;
  assigneeId: string | null;
  /** Order within the column: smaller is higher. */
  position: number;
  /** Raised by every change; of two states of a task the larger is the newer. */
  version: number;
  comments: number;
}

export interface Comment {
  id: string;
  taskId: string;
  taskTitle: string;
  author: User;
  text: string;
  /** ms since 1970 */
  at: number;
}

export interface Message {
  /** Made by the page that sends it: the same id is one message, however often it is sent. */
  id: string;
  /** Order within the project. */
  seq: number;
  author: User;
  text: string;
  /** ms since 1970 */
  at: number;
}

/** What tells a room of a project. Every event carries the whole new state of its subject. */
export interface ProjectEvents {
  'task:created': Task;
  'task:updated': Task;
  'task:moved': Task;
  'task:assigned': Task;
  'task:deleted': { id: string };
  'column:created': Column;
  'comment:added': Comment;
  'project:updated': Project;
  'member:added': Member;
  'member:removed': { id: string };
  'message:sent': Message;
}

/** What is told to one user, in all tabs and also later. */
export interface InboxEvents {
  /** `text`: of the comment, message or task that it is about; of `role` the new one. */
  notified: { kind: 'assigned' | 'mentioned' | 'invited' | 'role'; by: User; project: Project; text: string };
  'direct:sent': DirectMessage;
}

export interface DirectMessage {
  id: string;
  from: User;
  to: User;
  text: string;
  /** ms since 1970 */
  at: number;
}

/** What may be lost. Pages send it, so it says nothing: who did is in `meta.from`, which is always true. */
export interface Signals {
  'typing:started': null;
  'typing:stopped': null;
  hugged: null;
}

export type BoardEvents = ProjectEvents & InboxEvents & Signals;

/** `GET /api/me`: who is signed in, and the accounts to try where there is sample data. */
export interface Me {
  user: User | null;
  samples: { name: string; password: string }[];
}

export interface ProjectListItem extends Project {
  role: Role;
  unread: number;
}

/** `GET /api/projects/{id}`. Without a position the cluster could not be asked: fetch again once joined. */
export interface ProjectSnapshot {
  project: Project;
  columns: Column[];
  tasks: Task[];
  members: Member[];
  messages: Message[];
  /** `seq` of the last message that the user has seen. */
  readUpTo: number;
  /** How many that the user has not seen are before the first of `messages`. */
  unreadBefore: number;
  position: Position | null;
}

/** `GET /api/projects/{id}/dashboard` */
export interface DashboardSnapshot {
  project: Project;
  columns: Column[];
  /** Of every task, where it stands: what events change. */
  tasks: { id: string; columnId: string; version: number }[];
  /** Those of the last half hour. */
  messages: Pick<Message, 'id' | 'at'>[];
  comments: Comment[];
  position: Position | null;
}

export interface ErrorAnswer {
  error: { code: string; message: string };
}
