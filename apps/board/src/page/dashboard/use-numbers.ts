import { useReducer } from 'react';
import type { DashboardSnapshot } from '../../contract.ts';
import { useProjectRoom } from '../live/use-project-room.ts';
import { reduceNumbers } from './numbers.ts';

/** A project's numbers as they are now: one snapshot, then events. */
export const useNumbers = (projectId: string) => {
  const [state, dispatch] = useReducer(reduceNumbers, undefined);
  const { problem, isLive } = useProjectRoom<DashboardSnapshot>({
    projectId,
    path: `/projects/${projectId}/dashboard`,
    state: state?.numbers,
    dispatch,
  });
  return { numbers: state?.numbers, problem, isLive };
};
