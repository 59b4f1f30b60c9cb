import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { DirectMessage, User } from '../../contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { newId } from '../ui/new-id.ts';
import { messageOf, request } from '../ui/request.ts';
import { timeText } from '../ui/time.ts';
import { useTeller } from '../ui/toasts.tsx';
import { useSubmit } from '../ui/use-submit.ts';
import { useInboxEvent } from './inbox.tsx';

const withMessages = (known: readonly DirectMessage[], more: readonly DirectMessage[]): DirectMessage[] => {
  const all = new Map([...known, ...more].map((message) => [message.id, message]));
  return [...all.values()].sort((a, b) => a.at - b.at);
};

/** Private messages between two, in all tabs of both. */
export const DirectDialog = (props: { user: User; person: User; onClose: () => void }): ReactNode => {
  const { user, person, onClose } = props;
  const [messages, setMessages] = useState<readonly DirectMessage[]>([]);
  const { warn } = useTeller();
  const path = `/people/${person.id}/messages`;

  useEffect(() => {
    request<{ messages: DirectMessage[] }>('GET', path).then(
      (answer) => setMessages((known) => withMessages(known, answer.messages)),
      (error: unknown) => warn(messageOf(error)),
    );
  }, [path, warn]);
  useInboxEvent((item) => {
    if (item.event !== 'direct:sent') return;
    const { from, to } = item.data;
    if (from.id === person.id || to.id === person.id) {
      setMessages((known) => withMessages(known, [item.data]));
    }
  });

  // The same words sent again are the same message: the answer to the first try may have been lost.
  const draft = useRef({ id: '', text: '' });
  const { isSending, submit } = useSubmit(async (form) => {
    const text = String(form.get('text'));
    if (draft.current.text !== text) draft.current = { id: newId(), text };
    const message = await request<DirectMessage>('POST', path, draft.current);
    draft.current = { id: '', text: '' };
    setMessages((known) => withMessages(known, [message]));
  });

  return (
    <Dialog title={`Private messages with ${person.name}`} onClose={onClose}>
      <h2>{person.name}</h2>
      <p className="nothing">Only the two of you see this.</p>
      <ol className="direct" role="log" aria-label={`Private messages with ${person.name}`}>
        {messages.map(({ id, from, text, at }) => (
          <li key={id} className={from.id === user.id ? 'own' : undefined}>
            <strong>{from.id === user.id ? 'You' : from.name}</strong> <time>{timeText(at)}</time>
            <p className="words">{text}</p>
          </li>
        ))}
      </ol>
      <form onSubmit={submit} className="inline-form">
        <label>
          <span className="unseen">Private message to {person.name}</span>
          <input name="text" required maxLength={4000} autoComplete="off" />
        </label>
        <button type="submit" aria-disabled={isSending} className="primary">
          Send
        </button>
      </form>
    </Dialog>
  );
};
