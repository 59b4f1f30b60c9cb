import { useCallback, useState } from 'react';
import type { DashboardSnapshot } from '../../contract.ts';
import type { ProjectEvent } from '../live/project-state.ts';
import { useProjectRoom } from '../live/use-project-room.ts';
import { RequestError, request } from '../ui/request.ts';
import { applyEvent, type Numbers } from './numbers.ts';

/** A project's numbers as they are now: one snapshot, then events. */
export const useNumbers = (projectId: string) => {
  const [numbers, setNumbers] = useState<Numbers>();
  const [problem, setProblem] = useState<RequestError>();
  const load = useCallback(async () => {
    try {
      setNumbers(await request<DashboardSnapshot>('GET', `/projects/${projectId}/dashboard`));
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setProblem(error);
    }
  }, [projectId]);

  const hear = (event: ProjectEvent) => setNumbers((known) => known && applyEvent(known, event));
  const room = useProjectRoom({ projectId, snapshot: numbers, load, hear });
  return { numbers, problem, isCatchingUp: room.state === 'joining' };
};
