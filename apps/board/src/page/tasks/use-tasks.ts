import { useCallback } from 'react';
import type { Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

/** Where a task goes: before another one of the column, or at its end. */
export interface Target {
  columnId: string;
  beforeId: string | null;
}

export interface TaskActions {
  create: (columnId: string, title: string) => Promise<boolean>;
  move: (task: Task, target: Target) => Promise<void>;
  remove: (task: Task) => Promise<boolean>;
}

const byPosition = (a: Task, b: Task): number => a.position - b.position || (a.id < b.id ? -1 : 1);

export const tasksIn = (tasks: readonly Task[], columnId: string): Task[] =>
  tasks.filter((task) => task.columnId === columnId).sort(byPosition);

/** A position between two neighbours, as the board's backend will choose it too. */
const positionAt = (tasks: readonly Task[], { columnId, beforeId }: Target, moving: Task): number => {
  const others = tasksIn(tasks, columnId).filter(({ id }) => id !== moving.id);
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
      try {
        const data = await request<Task>('POST', `/projects/${projectId}/tasks`, { columnId, title });
        dispatch({ type: 'told', event: { event: 'task:created', data } });
        return true;
      } catch (error) {
        warn(messageOf(error));
        return false;
      }
    },
    [projectId, dispatch, warn],
  );

  const move = useCallback(
    async (task: Task, target: Target) => {
      const position = positionAt(tasks, target, task);
      dispatch({ type: 'expected', task: { ...task, columnId: target.columnId, position } });
      try {
        const data = await request<Task>('POST', `/tasks/${task.id}/move`, target);
        dispatch({ type: 'told', event: { event: 'task:moved', data } });
      } catch (error) {
        dispatch({ type: 'restored', task });
        warn(messageOf(error));
      }
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
