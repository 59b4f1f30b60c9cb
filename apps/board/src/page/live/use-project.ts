import { type Dispatch, useMemo, useReducer } from 'react';
import type { ProjectSnapshot } from '../../contract.ts';
import { type Action, type ProjectState, reduceProject, shownTasks } from './project-state.ts';
import { type ProjectRoom, useProjectRoom } from './use-project-room.ts';

/** A project as it is now. */
export interface LiveProject extends ProjectRoom {
  /** Undefined until it was fetched. */
  state: ProjectState | undefined;
  dispatch: Dispatch<Action>;
}

/** One snapshot over HTTP, then the events of the room from the snapshot's position on. */
export const useProject = (projectId: string): LiveProject => {
  const [state, dispatch] = useReducer(reduceProject, undefined);
  const live = useProjectRoom<ProjectSnapshot>({
    projectId,
    path: `/projects/${projectId}`,
    state,
    dispatch,
  });
  const shown = useMemo(() => state && { ...state, tasks: shownTasks(state) }, [state]);
  return { ...live, state: shown, dispatch };
};
