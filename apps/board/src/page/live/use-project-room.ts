import { type RoomView, useEvent, useRoom } from '@fanfare/client/react';
import { useEffect } from 'react';
import { type Position, projectRoom } from '../../contract.ts';
import type { ProjectEvent } from './project-state.ts';

/**
 * Every event of a project's room from the position of a snapshot on. `load` fetches the snapshot: at the start, and anew
 * only where the log does not reach back, or where the cluster could not say the position.
 */
export const useProjectRoom = (deps: {
  projectId: string;
  /** Undefined until it was fetched. */
  snapshot: { position: Position | null } | undefined;
  load: () => Promise<void>;
  hear: (event: ProjectEvent) => void;
}): RoomView => {
  const { projectId, snapshot, load, hear } = deps;
  useEffect(() => void load(), [load]);

  const position = snapshot?.position ?? undefined;
  const room = useRoom(snapshot === undefined ? null : projectRoom(projectId), {
    ...(position !== undefined && { since: position }),
  });
  const hasPosition = position !== undefined;
  const isJoined = room.state === 'joined';
  useEffect(() => {
    if (room.reset !== undefined || (isJoined && !hasPosition)) void load();
  }, [room.reset, isJoined, hasPosition, load]);

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
  return room;
};
