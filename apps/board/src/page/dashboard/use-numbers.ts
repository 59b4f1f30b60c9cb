import { useEvent, useRoom } from '@fanfare/client/react';
import { useCallback, useEffect, useState } from 'react';
import { type DashboardSnapshot, projectRoom } from '../../contract.ts';
import { RequestError, request } from '../ui/request.ts';
import { applyEvent, type Numbers, type NumbersEvent } from './numbers.ts';

/** A project's numbers as they are now: one snapshot, then events. */
export const useNumbers = (projectId: string) => {
  const [numbers, setNumbers] = useState<Numbers>();
  const [problem, setProblem] = useState<RequestError>();
  const load = useCallback(async () => {
    try {
      const snapshot = await request<DashboardSnapshot>('GET', `/projects/${projectId}/dashboard`);
      setNumbers({ ...snapshot, counted: new Set() });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setProblem(error);
    }
  }, [projectId]);
  useEffect(() => void load(), [load]);

  const position = numbers?.position ?? undefined;
  const room = useRoom(numbers === undefined ? null : projectRoom(projectId), {
    ...(position !== undefined && { since: position }),
  });
  const hasPosition = position !== undefined;
  const isJoined = room.state === 'joined';
  useEffect(() => {
    if (room.reset !== undefined || (isJoined && !hasPosition)) void load();
  }, [room.reset, isJoined, hasPosition, load]);

  const hear = (event: NumbersEvent) => setNumbers((known) => known && applyEvent(known, event));
  useEvent(room, 'task:created', (data) => hear({ event: 'task:created', data }));
  useEvent(room, 'task:updated', (data) => hear({ event: 'task:updated', data }));
  useEvent(room, 'task:moved', (data) => hear({ event: 'task:moved', data }));
  useEvent(room, 'task:assigned', (data) => hear({ event: 'task:assigned', data }));
  useEvent(room, 'task:deleted', (data) => hear({ event: 'task:deleted', data }));
  useEvent(room, 'column:created', (data) => hear({ event: 'column:created', data }));
  useEvent(room, 'comment:added', (data) => hear({ event: 'comment:added', data }));
  useEvent(room, 'project:updated', (data) => hear({ event: 'project:updated', data }));
  useEvent(room, 'message:sent', (data) => hear({ event: 'message:sent', data }));
  return { numbers, problem, isCatchingUp: room.state === 'joining' };
};
