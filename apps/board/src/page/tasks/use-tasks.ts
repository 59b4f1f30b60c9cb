import { useCallback, useRef } from 'react';
import type { Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { newId } from '../ui/new-id.ts';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

/** Where a task goes: before another one of the column, or at its end. */
export interface Target {
  columnId: string;
  beforeId: string | null;
}

export interface TaskActions {
  /** Rejects with the reason. */
  create: (columnId: string, title: string) => Promise<void>;
  move: (task: Task, target: Target) => void;
  remove: (task: Task) => Promise<boolean>;
}

const byPosition = (a: Task, b: Task): number => a.position - b.position || (a.id < b.id ? -1 : 1);

export const tasksIn = (tasks: readonly Task[], columnId: string): Task[] =>
  tasks.filter((task) => task.columnId === columnId).sort(byPosition);

/** A position between two neighbours, as the board's backend will choose it too. */
const positionAt = (tasks: readonly Task[], { columnId, beforeId }: Target, taskId: string): number => {
  const others = tasksIn(tasks, columnId).filter(({ id }) => id !== taskId);
  const found = others.findIndex(({ id }) => id === beforeId);
  const index = found < 0 ? others.length : found;
  const above = others[index - 1]?.position;
  const below = others[index]?.position;
  if (below === undefined) return (above ?? 0) + 1;
  return above === undefined ? below - 1 : (above + below) / 2;
};

/** What somebody does with tasks; a move is shown at once, and taken back when it is refused. */
export const useTasks = ({ projectId, state, dispatch }: ProjectPart): TaskActions => {
  const { warn } = useTeller();
  const { tasks } = state;

  const create = useCallback(
    async (columnId: string, title: string) => {
      const data = await request<Task>('POST', `/projects/${projectId}/tasks`, { columnId, title });
      dispatch({ type: 'told', event: { event: 'task:created', data } });
    },
    [projectId, dispatch],
  );

  // One after the other: where a task goes is said by its neighbours, which an earlier move may change.
  const turn = useRef(Promise.resolve());
  const move = useCallback(
    ({ id: taskId }: Task, target: Target) => {
      const { columnId } = target;
      const moveId = newId();
      dispatch({
        type: 'moved',
        move: { id: moveId, taskId, columnId, position: positionAt(tasks, target, taskId) },
      });
      turn.current = turn.current.then(async () => {
        try {
          const data = await request<Task>('POST', `/tasks/${taskId}/move`, target);
          dispatch({ type: 'told', event: { event: 'task:moved', data } });
        } catch (error) {
          warn(messageOf(error));
        }
        dispatch({ type: 'answered', moveId });
      });
    },
    [tasks, dispatch, warn],
  );

  const remove = useCallback(
    async (task: Task) => {
      try {
        await request('DELETE', `/tasks/${task.id}`);
        dispatch({ type: 'told', event: { event: 'task:deleted', data: { id: task.id } } });
        return true;
      } catch (error) {
        warn(messageOf(error));
        return false;
      }
    },
    [dispatch, warn],
  );

  return { create, move, remove };
};
