import { type ReactNode, useCallback, useState } from 'react';
import type { Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { NewColumn } from './new-column.tsx';
import { stepOf } from './steps.ts';
import { TaskColumn } from './task-column.tsx';
import { TaskDialog } from './task-dialog.tsx';
import { useTasks } from './use-tasks.ts';
import './task-board.css';

export const TaskBoard = (part: ProjectPart): ReactNode => {
  const { state, mayWrite } = part;
  const actions = useTasks(part);
  const [openId, setOpenId] = useState<string>();
  const [said, setSaid] = useState('');
  const open = state.tasks.find(({ id }) => id === openId);

  const move = useCallback(
    (task: Task, key: string) => {
      const step = stepOf(state, task, key);
      if (step === undefined) return false;
      const { place, ...target } = step;
      const column = state.columns.find(({ id }) => id === target.columnId);
      setSaid(`${task.title}: moved to ${column?.title ?? 'another column'}, place ${place}`);
      actions.move(task, target);
      return true;
    },
    [state, actions],
  );

  return (
    <main className="task-board" aria-label="Tasks">
      <p id="task-keys" className="unseen">
        Enter opens a task. {mayWrite && 'Shift with an arrow key moves it.'}
      </p>
      <div className="columns">
        {state.columns.map((column) => (
          <TaskColumn
            key={column.id}
            part={part}
            column={column}
            actions={actions}
            onOpen={setOpenId}
            onStep={move}
          />
        ))}
        {mayWrite && <NewColumn projectId={part.projectId} dispatch={part.dispatch} />}
      </div>
      <p className="unseen" role="status">
        {said}
      </p>
      {open !== undefined && (
        <TaskDialog
          key={open.id}
          part={part}
          task={open}
          actions={actions}
          onClose={() => setOpenId(undefined)}
        />
      )}
    </main>
  );
};
