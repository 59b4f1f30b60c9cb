import { type FormEvent, type ReactNode, useState } from 'react';
import type { Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { Dialog } from '../ui/dialog.tsx';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';
import { Comments } from './comments.tsx';
import type { TaskActions } from './use-tasks.ts';

export interface TaskDialogProps {
  part: ProjectPart;
  task: Task;
  actions: TaskActions;
  onClose: () => void;
}

/** A task in full: its text, who has it, where it stands, and what was said of it. */
export const TaskDialog = ({ part, task, actions, onClose }: TaskDialogProps): ReactNode => {
  const { state, dispatch, mayWrite } = part;
  const { warn } = useTeller();
  // What is edited is of this state: meanwhile others may change it, which is said and not overwritten.
  const [base, setBase] = useState(task);
  // Another form for the words of others alone: what was typed outlives everything else.
  const [shows, setShows] = useState(0);
  const isOutdated = base.title !== task.title || base.description !== task.description;

  const send = async (work: () => Promise<Task>): Promise<Task | undefined> => {
    try {
      const data = await work();
      dispatch({ type: 'told', event: { event: 'task:updated', data } });
      return data;
    } catch (error) {
      warn(messageOf(error));
      return undefined;
    }
  };
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [title, description] = [String(form.get('title')), String(form.get('description'))];
    // A task that was only moved or assigned meanwhile still has the words that were edited.
    const { version } = isOutdated ? base : task;
    const saved = await send(() => request('PATCH', `/tasks/${task.id}`, { title, description, version }));
    if (saved !== undefined) setBase(saved);
  };
  const assign = (userId: string) =>
    void send(() => request('PUT', `/tasks/${task.id}/assignee`, { userId: userId === '' ? null : userId }));
  const showNew = () => {
    setBase(task);
    setShows((count) => count + 1);
  };
  const remove = async () => {
    if (await actions.remove(task)) onClose();
  };

  return (
    <Dialog title={task.title} onClose={onClose}>
      <form onSubmit={(event) => void save(event)} className="task-form" key={shows}>
        <fieldset disabled={!mayWrite}>
          <label>
            Task
            <input name="title" defaultValue={base.title} required maxLength={200} autoComplete="off" />
          </label>
          <label>
            Description
            <textarea name="description" defaultValue={base.description} rows={4} maxLength={10_000} />
          </label>
          {isOutdated && (
            <p role="alert" className="problem">
              Somebody else changed these words.{' '}
              <button type="button" onClick={showNew}>
                Show the new ones
              </button>
            </p>
          )}
          <div className="task-choices">
            <label>
              Who has it
              <select value={task.assigneeId ?? ''} onChange={(event) => assign(event.target.value)}>
                <option value="">Nobody yet</option>
                {state.members.map(({ id, name }) => (
                  <option key={id} value={id}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Column
              <select
                value={task.columnId}
                onChange={(event) => actions.move(task, { columnId: event.target.value, beforeId: null })}
              >
                {state.columns.map(({ id, title }) => (
                  <option key={id} value={id}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          </div>
          {mayWrite && (
            <div className="task-choices">
              <button type="submit" className="primary">
                Save
              </button>
              <button type="button" className="danger" onClick={() => void remove()}>
                Delete
              </button>
            </div>
          )}
        </fieldset>
      </form>
      <Comments part={part} task={task} />
    </Dialog>
  );
};
