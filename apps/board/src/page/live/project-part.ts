import type { RoomView } from '@fanfare/client/react';
import type { Dispatch } from 'react';
import type { Role, User } from '../../contract.ts';
import type { Action, ProjectState } from './project-state.ts';
import type { Present } from './use-present.ts';

/** What each part of a project's page is given. */
export interface ProjectPart {
  projectId: string;
  user: User;
  state: ProjectState;
  dispatch: Dispatch<Action>;
  room: RoomView;
  /** The user's own, as it is now. */
  role: Role;
  mayWrite: boolean;
  present: Present;
}
