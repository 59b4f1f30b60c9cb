import type { FanfareError, RoomState } from '@fanfare/client';
import type { RoomView } from '@fanfare/client/react';
import { type Dispatch, useCallback, useMemo, useReducer, useState } from 'react';
import type { ProjectSnapshot } from '../../contract.ts';
import { RequestError, request } from '../ui/request.ts';
import {
  type Action,
  type ProjectEvent,
  type ProjectState,
  reduceProject,
  shownTasks,
} from './project-state.ts';
import { useProjectRoom } from './use-project-room.ts';

/** A project as it is now. */
export interface LiveProject {
  /** Undefined until it was fetched. */
  state: ProjectState | undefined;
  dispatch: Dispatch<Action>;
  room: RoomView;
  /** Why it cannot be shown. */
  problem: RequestError | undefined;
}

const isOut = (state: RoomState, error: FanfareError | undefined): boolean =>
  state === 'left' && error !== undefined;

/** One snapshot over HTTP, then the events of the room from the snapshot's position on. */
export const useProject = (projectId: string): LiveProject => {
  const [state, dispatch] = useReducer(reduceProject, undefined);
  const [problem, setProblem] = useState<RequestError>();

  const load = useCallback(async () => {
    dispatch({ type: 'fetching' });
    try {
      const snapshot = await request<ProjectSnapshot>('GET', `/projects/${projectId}`);
      dispatch({ type: 'fetched', snapshot });
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setProblem(error);
    }
  }, [projectId]);

  const hear = (event: ProjectEvent) => dispatch({ type: 'told', event });
  const room = useProjectRoom({ projectId, snapshot: state, load, hear });
  const removed = isOut(room.state, room.error)
    ? new RequestError('forbidden', 'You are no longer in this project')
    : undefined;
  const shown = useMemo(() => state && { ...state, tasks: shownTasks(state) }, [state]);
  return { state: shown, dispatch, room, problem: removed ?? problem };
};
