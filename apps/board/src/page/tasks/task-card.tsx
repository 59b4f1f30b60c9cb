import { type DragEvent, type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react';
import type { Task, User } from '../../contract.ts';
import { Avatar } from '../ui/avatar.tsx';

export interface TaskCardProps {
  task: Task;
  assignee: User | undefined;
  mayMove: boolean;
  onOpen: () => void;
  /** Shift and this arrow key; whether there was a way to go. */
  onStep: (key: string) => boolean;
  onDragStart: (event: DragEvent) => void;
}

/** The task that was moved by keys: its card is another element in another column, and takes the focus over. */
let stepped: string | undefined;

export const TaskCard = ({
  task,
  assignee,
  mayMove,
  onOpen,
  onStep,
  onDragStart,
}: TaskCardProps): ReactNode => {
  const ref = useRef<HTMLButtonElement>(null);
  // Once it stands elsewhere, and not when it is drawn again where it was.
  const place = `${task.columnId} ${task.position}`;
  const drawnAt = useRef('');
  useEffect(() => {
    const isElsewhere = drawnAt.current !== place;
    drawnAt.current = place;
    if (!isElsewhere || stepped !== task.id) return;
    stepped = undefined;
    ref.current?.focus();
  });
  const step = (event: KeyboardEvent) => {
    if (!mayMove || !event.shiftKey || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    if (onStep(event.key)) stepped = task.id;
  };
  // Whoever has gone on to something else keeps the focus there.
  const left = () => {
    if (stepped === task.id) stepped = undefined;
  };
  const facts = [
    assignee === undefined ? 'nobody has it yet' : `${assignee.name} has it`,
    ...(task.comments > 0 ? [`${task.comments} ${task.comments === 1 ? 'comment' : 'comments'}`] : []),
  ];
  return (
    <button
      ref={ref}
      type="button"
      className="task"
      draggable={mayMove}
      aria-label={`${task.title}, ${facts.join(', ')}`}
      aria-describedby="task-keys"
      aria-keyshortcuts={
        mayMove ? 'Shift+ArrowUp Shift+ArrowDown Shift+ArrowLeft Shift+ArrowRight' : undefined
      }
      onClick={onOpen}
      onKeyDown={step}
      onBlur={left}
      onDragStart={onDragStart}
    >
      {/* Another element for each state: its appearance shows that something has changed. */}
      <span key={task.version} className={task.version > 1 ? 'task-inside changed' : 'task-inside'}>
        <span className="task-title">{task.title}</span>
        {(task.description !== '' || task.comments > 0 || assignee !== undefined) && (
          <span className="task-facts">
            {task.description !== '' && <span className="has-text" />}
            {task.comments > 0 && <span className="comments">{task.comments}</span>}
            <span className="grow" />
            {assignee !== undefined && <Avatar name={assignee.name} />}
          </span>
        )}
      </span>
    </button>
  );
};
