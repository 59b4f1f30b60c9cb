import { type RoomView, useEvent, useRoom } from '@fanfare/client/react';
import { type Dispatch, useEffect, useRef } from 'react';
import { type Position, projectRoom } from '../../contract.ts';
import { RequestError } from '../ui/request.ts';
import { useRenewedRights } from './live.tsx';
import type { ProjectEvent, SnapshotAction } from './project-state.ts';
import { backoffMs, useSnapshot } from './use-snapshot.ts';

export interface ProjectRoom {
  room: RoomView;
  /** Whether what is shown is what is. */
  isLive: boolean;
  /** Why the project cannot be shown. */
  problem: RequestError | undefined;
}

/** With a token that is newer than what ended the membership, while the board says that there is one. */
const useWayBack = (room: RoomView, load: () => Promise<boolean>): void => {
  const renewRights = useRenewedRights();
  const times = useRef(0);
  const isJoined = room.state === 'joined';
  const isOut = room.state === 'refused' || (room.state === 'left' && room.error !== undefined);
  useEffect(() => {
    if (isJoined) times.current = 0;
    if (!isOut) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const pauseMs = backoffMs(times.current);
    times.current += 1;
    void load().then((isMember) => {
      if (isMember && !isOver) timer = setTimeout(renewRights, pauseMs);
    });
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isJoined, isOut, load, renewRights]);
};

/**
 * A snapshot over HTTP, then every event of the project's room from its position on. Another snapshot is fetched only where
 * the log does not reach back, where the cluster could not say the position, or who looks at it was put out.
 */
export const useProjectRoom = <Snapshot>(deps: {
  projectId: string;
  path: string;
  /** Undefined until it was fetched. */
  state: { position: Position | null } | undefined;
  dispatch: Dispatch<SnapshotAction<Snapshot>>;
}): ProjectRoom => {
  const { projectId, path, state, dispatch } = deps;
  const { load, problem, isBehind } = useSnapshot(path, dispatch);

  const position = state?.position ?? undefined;
  const room = useRoom(state === undefined ? null : projectRoom(projectId), {
    ...(position !== undefined && { since: position }),
  });
  const isJoined = room.state === 'joined';
  const isWhole = useRef(true);
  isWhole.current = position !== undefined && problem === undefined;
  useEffect(() => {
    if (room.reset !== undefined || (isJoined && !isWhole.current)) void load();
  }, [room.reset, isJoined, load]);
  useWayBack(room, load);

  const hear = (event: ProjectEvent) => dispatch({ type: 'told', event });
  useEvent(room, 'task:created', (data) => hear({ event: 'task:created', data }));
  useEvent(room, 'task:updated', (data) => hear({ event: 'task:updated', data }));
  useEvent(room, 'task:moved', (data) => hear({ event: 'task:moved', data }));
  useEvent(room, 'task:assigned', (data) => hear({ event: 'task:assigned', data }));
  useEvent(room, 'task:deleted', (data) => hear({ event: 'task:deleted', data }));
  useEvent(room, 'column:created', (data) => hear({ event: 'column:created', data }));
  useEvent(room, 'comment:added', (data) => hear({ event: 'comment:added', data }));
  useEvent(room, 'project:updated', (data) => hear({ event: 'project:updated', data }));
  useEvent(room, 'member:added', (data) => hear({ event: 'member:added', data }));
  useEvent(room, 'member:removed', (data) => hear({ event: 'member:removed', data }));
  useEvent(room, 'message:sent', (data) => hear({ event: 'message:sent', data }));

  const isRemoved = state !== undefined && problem?.code === 'not_found';
  return {
    room,
    isLive: isJoined && !isBehind,
    problem: isRemoved ? new RequestError('not_found', 'You are no longer in this project') : problem,
  };
};
