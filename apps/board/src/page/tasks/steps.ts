import type { Column, Task } from '../../contract.ts';
import { type Target, tasksIn } from './use-tasks.ts';

/** Where an arrow key takes a task; `place` counts from 1. Undefined when there is no way on. */
export const stepOf = (
  { columns, tasks }: { columns: readonly Column[]; tasks: readonly Task[] },
  task: Task,
  key: string,
): (Target & { place: number }) | undefined => {
  const column = columns.findIndex(({ id }) => id === task.columnId);
  const own = tasksIn(tasks, task.columnId);
  const place = own.findIndex(({ id }) => id === task.id);
  if (key === 'ArrowUp' || key === 'ArrowDown') {
    const next = key === 'ArrowUp' ? place - 1 : place + 1;
    if (next < 0 || next >= own.length) return undefined;
    const beforeId = own[key === 'ArrowUp' ? next : next + 1]?.id ?? null;
    return { columnId: task.columnId, beforeId, place: next + 1 };
  }
  const neighbour = columns[key === 'ArrowLeft' ? column - 1 : column + 1];
  if (neighbour === undefined || !(key === 'ArrowLeft' || key === 'ArrowRight')) return undefined;
  const others = tasksIn(tasks, neighbour.id);
  const at = Math.min(place, others.length);
  return { columnId: neighbour.id, beforeId: others[at]?.id ?? null, place: at + 1 };
};
