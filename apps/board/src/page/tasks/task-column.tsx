import { type DragEvent, type ReactNode, useState } from 'react';
import type { Column, Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { useSubmit } from '../ui/use-submit.ts';
import { TaskCard } from './task-card.tsx';
import { type TaskActions, tasksIn } from './use-tasks.ts';

const KIND = 'application/x-fanfare-task';

export interface TaskColumnProps {
  part: ProjectPart;
  column: Column;
  actions: TaskActions;
  onOpen: (taskId: string) => void;
  onStep: (task: Task, key: string) => boolean;
}

/** The task whose upper half is below the pointer: what is dropped goes before it. */
const beforeAt = (list: Element, y: number): string | null => {
  for (const card of list.querySelectorAll<HTMLElement>('[data-task]')) {
    const { top, height } = card.getBoundingClientRect();
    if (y < top + height / 2) return card.dataset.task ?? null;
  }
  return null;
};

export const TaskColumn = ({ part, column, actions, onOpen, onStep }: TaskColumnProps): ReactNode => {
  const { state, mayWrite } = part;
  const [isOver, setIsOver] = useState(false);
  const tasks = tasksIn(state.tasks, column.id);

  const over = (event: DragEvent) => {
    if (!mayWrite || !event.dataTransfer.types.includes(KIND)) return;
    event.preventDefault();
    setIsOver(true);
  };
  const drop = (event: DragEvent) => {
    setIsOver(false);
    const id = event.dataTransfer.getData(KIND);
    const task = state.tasks.find((one) => one.id === id);
    if (task === undefined) return;
    event.preventDefault();
    const beforeId = beforeAt(event.currentTarget, event.clientY);
    if (beforeId !== task.id) actions.move(task, { columnId: column.id, beforeId });
  };
  const { isSending, submit } = useSubmit((form) => actions.create(column.id, String(form.get('title'))));

  return (
    <section
      className={isOver ? 'column over' : 'column'}
      aria-label={column.title}
      onDragOver={over}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <h2>
        {column.title} <span className="count quiet-count">{tasks.length}</span>
      </h2>
      <ol>
        {tasks.map((task) => (
          <li key={task.id} data-task={task.id}>
            <TaskCard
              task={task}
              assignee={state.members.find(({ id }) => id === task.assigneeId)}
              mayMove={mayWrite}
              onOpen={() => onOpen(task.id)}
              onStep={(key) => onStep(task, key)}
              onDragStart={(event) => {
                event.dataTransfer.setData(KIND, task.id);
                event.dataTransfer.effectAllowed = 'move';
              }}
            />
          </li>
        ))}
      </ol>
      {mayWrite && (
        <form onSubmit={submit} className="inline-form">
          <label>
            <span className="unseen">New task in {column.title}</span>
            <input name="title" placeholder="Add a task" required maxLength={200} autoComplete="off" />
          </label>
          <button
            type="submit"
            aria-disabled={isSending}
            className="quiet"
            aria-label={`Add the task to ${column.title}`}
          >
            +
          </button>
        </form>
      )}
    </section>
  );
};
