import type { Dispatch, ReactNode } from 'react';
import type { Column } from '../../contract.ts';
import type { Action } from '../live/project-state.ts';
import { request } from '../ui/request.ts';
import { useSubmit } from '../ui/use-submit.ts';

export const NewColumn = (props: { projectId: string; dispatch: Dispatch<Action> }): ReactNode => {
  const { isSending, submit } = useSubmit(async (form) => {
    const title = String(form.get('title'));
    const data = await request<Column>('POST', `/projects/${props.projectId}/columns`, { title });
    props.dispatch({ type: 'told', event: { event: 'column:created', data } });
  });
  return (
    <form className="column new-column inline-form" onSubmit={submit}>
      <label>
        <span className="unseen">Name of a new column</span>
        <input name="title" placeholder="Add a column" required maxLength={60} autoComplete="off" />
      </label>
      <button type="submit" aria-disabled={isSending} className="quiet" aria-label="Add the column">
        +
      </button>
    </form>
  );
};
