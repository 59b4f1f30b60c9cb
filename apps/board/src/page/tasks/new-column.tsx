import type { Dispatch, FormEvent, ReactNode } from 'react';
import type { Column } from '../../contract.ts';
import type { Action } from '../live/project-state.ts';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

export const NewColumn = (props: { projectId: string; dispatch: Dispatch<Action> }): ReactNode => {
  const { warn } = useTeller();
  const create = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get('title'));
    try {
      const data = await request<Column>('POST', `/projects/${props.projectId}/columns`, { title });
      props.dispatch({ type: 'told', event: { event: 'column:created', data } });
      form.reset();
    } catch (error) {
      warn(messageOf(error));
    }
  };
  return (
    <form className="column new-column inline-form" onSubmit={(event) => void create(event)}>
      <label>
        <span className="unseen">Name of a new column</span>
        <input name="title" placeholder="Add a column" required maxLength={60} autoComplete="off" />
      </label>
      <button type="submit" className="quiet" aria-label="Add the column">
        +
      </button>
    </form>
  );
};
