import type { FanfareError, RoomState } from '@fanfare/client';
import { type RoomView, useEvent, useRoom } from '@fanfare/client/react';
import { type Dispatch, useCallback, useEffect, useReducer, useState } from 'react';
import { type ProjectSnapshot, projectRoom } from '../../contract.ts';
import { RequestError, request } from '../ui/request.ts';
import { type Action, type ProjectEvent, type ProjectState, reduceProject } from './project-state.ts';

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

/**
 * One snapshot over HTTP, then the events of the room from the snapshot's position on. Fetched anew only where the log
 * does not reach back, or where the cluster could not say the position.
 */
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
  useEffect(() => void load(), [load]);

  const position = state?.position ?? undefined;
  const room = useRoom(state === undefined ? null : projectRoom(projectId), {
    ...(position !== undefined && { since: position }),
  });
  const hasPosition = position !== undefined;
  const isJoined = room.state === 'joined';
  useEffect(() => {
    if (room.reset !== undefined || (isJoined && !hasPosition)) void load();
  }, [room.reset, isJoined, hasPosition, load]);

  useProjectEvents(room, (event) => dispatch({ type: 'told', event }));
  const removed = isOut(room.state, room.error)
    ? new RequestError('forbidden', 'You are no longer in this project')
    : undefined;
  return { state, dispatch, room, problem: removed ?? problem };
};

/** Hears every event of a project's room. */
const useProjectEvents = (room: RoomView, hear: (event: ProjectEvent) => void): void => {
  useEvent(room, 'task:created', (data) => hear({ event: 'task:created', data }));
  useEvent(room, 'task:updated', (data) => hear({ event: 'task:updated', data }));
  useEvent(room, 'task:moved', (data) => hear({ event: 'task:moved', data }));
  useEvent(room, 'task:assigned', (data) => hear({ event: 'task:assigned', data }));
  useEvent(room, 'task:deleted', (data) => hear({ event: 'task:deleted', data }));
  useEvent(room, 'column:created', (data) => hear({ event: 'column:created', data }));
  useEvent(room, 'project:updated', (data) => hear({ event: 'project:updated', data }));
  useEvent(room, 'member:added', (data) => hear({ event: 'member:added', data }));
  useEvent(room, 'member:removed', (data) => hear({ event: 'member:removed', data }));
  useEvent(room, 'message:sent', (data) => hear({ event: 'message:sent', data }));
};
