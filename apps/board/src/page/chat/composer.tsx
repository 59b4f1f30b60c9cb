import { type FormEvent, type KeyboardEvent, type ReactNode, useRef } from 'react';
import type { ProjectPart } from '../live/project-part.ts';
import { useOwnTyping } from './use-typing.ts';

export const Composer = (props: { part: ProjectPart; onSend: (text: string) => void }): ReactNode => {
  const { typed, stopped } = useOwnTyping(props.part);
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get('text')).trim();
    if (text === '') return;
    props.onSend(text);
    stopped();
    event.currentTarget.reset();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };
  return (
    <form ref={form} onSubmit={submit} className="composer">
      <label>
        <span className="unseen">Message to everybody in the project</span>
        <textarea
          name="text"
          rows={2}
          maxLength={4000}
          placeholder="Write to everybody; @name tells somebody"
          onInput={typed}
          onBlur={stopped}
          onKeyDown={key}
        />
      </label>
      <button type="submit" className="primary">
        Send
      </button>
    </form>
  );
};
