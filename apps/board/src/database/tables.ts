import type { ColumnType, Generated } from 'kysely';
import type { ProjectStatus, Role } from '../contract.ts';

/** Set by the database when it is left out. */
type Time = ColumnType<Date, Date | undefined, Date>;

/** The tables as the migrations leave them. */
export interface Tables {
  users: { id: Generated<string>; name: string; password: string; created_at: Time };
  sessions: { id_hash: string; user_id: string; expires_at: Date };
  sign_in_tries: { key: string; tries: number; until: Date };
  projects: { id: Generated<string>; name: string; status: ProjectStatus; created_at: Time };
  members: { project_id: string; user_id: string; role: Role; read_up_to: Generated<number> };
  columns: { id: Generated<string>; project_id: string; title: string; position: number };
  tasks: {
    id: Generated<string>;
    project_id: string;
    column_id: string;
    title: string;
    description: Generated<string>;
    assignee_id: string | null;
    position: number;
    version: Generated<number>;
    created_at: Time;
  };
  comments: {
    id: Generated<string>;
    project_id: string;
    task_id: string;
    author_id: string;
    text: string;
    created_at: Time;
  };
  messages: {
    id: string;
    seq: Generated<number>;
    project_id: string;
    author_id: string;
    text: string;
    created_at: Time;
  };
  direct_messages: {
    id: string;
    from_id: string;
    to_id: string;
    text: string;
    created_at: Time;
  };
  /** Users whose sockets are still to be put out of a room. */
  removals: { id: Generated<string>; project_id: string; user_id: string };
  /** Logins that are over, whose tokens are still to be revoked. */
  revocations: { sid: string };
}
