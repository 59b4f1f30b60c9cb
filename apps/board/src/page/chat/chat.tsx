import type { ReactNode } from 'react';
import type { ProjectPart } from '../live/project-part.ts';
import { Avatar } from '../ui/avatar.tsx';
import { Composer } from './composer.tsx';
import { MessageList } from './message-list.tsx';
import type { Writing } from './use-outgoing.ts';
import { useTyping } from './use-typing.ts';
import './chat.css';

const typingText = (names: readonly string[]): string => {
  if (names.length === 0) return '';
  if (names.length > 3) return 'Several people are writing …';
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} writing …`;
};

export const Chat = (props: { part: ProjectPart; writing: Writing }): ReactNode => {
  const { part, writing } = props;
  const { waiting, send, again } = writing.outgoing;
  const typing = useTyping(part);
  return (
    <section className="chat side" aria-label="Chat">
      <p className="here">
        {part.state.members
          .filter(({ id }) => part.present.ids.has(id))
          .map(({ id, name }) => (
            <Avatar key={id} name={name} isHere />
          ))}
        <span className="unseen">Here now: </span>
        <span>{part.present.count} here</span>
      </p>
      <MessageList part={part} waiting={waiting} onAgain={again} />
      <p className="typing" role="status">
        {typingText(typing)}
      </p>
      {part.mayWrite ? (
        <Composer part={part} draft={writing.draft} onSend={send} />
      ) : (
        <p className="nothing">You may look, but not write here.</p>
      )}
    </section>
  );
};
