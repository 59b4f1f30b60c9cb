import { type FormEvent, type KeyboardEvent, type ReactNode, type RefObject, useRef, useState } from 'react';
import type { ProjectPart } from '../live/project-part.ts';
import { useOwnTyping } from './use-typing.ts';

export const Composer = (props: {
  part: ProjectPart;
  draft: RefObject<string>;
  onSend: (text: string) => void;
}): ReactNode => {
  const { draft } = props;
  const [atFirst] = useState(draft.current);
  const { typed, stopped } = useOwnTyping(props.part);
  const box = useRef<HTMLTextAreaElement>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = draft.current.trim();
    if (text === '' || box.current === null) return;
    props.onSend(text);
    stopped();
    draft.current = '';
    box.current.value = '';
  };
  const input = (event: FormEvent<HTMLTextAreaElement>) => {
    draft.current = event.currentTarget.value;
    typed();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    box.current?.form?.requestSubmit();
  };
  return (
    <form onSubmit={submit} className="composer">
      <label>
        <span className="unseen">Message to everybody in the project</span>
        <textarea
          ref={box}
          name="text"
          rows={2}
          maxLength={4000}
          placeholder="Write to everybody; @name tells somebody"
          defaultValue={atFirst}
          onInput={input}
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
