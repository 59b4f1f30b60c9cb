import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { Message } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import type { ComingAndGoing } from '../live/use-present.ts';
import { Avatar } from '../ui/avatar.tsx';
import { messageOf, request } from '../ui/request.ts';
import { timeText } from '../ui/time.ts';
import { useTeller } from '../ui/toasts.tsx';
import type { Outgoing } from './use-outgoing.ts';

/** So near to the end one reads along, in pixels. */
const NEAR_END = 80;
/** So near to the beginning older messages are fetched, in pixels. */
const NEAR_BEGIN = 40;

/** Messages, and who came and went between them, by time. */
const inOrder = (
  messages: readonly Message[],
  lines: readonly ComingAndGoing[],
): (Message | ComingAndGoing)[] => {
  const first = messages[0]?.at ?? 0;
  return [...messages, ...lines.filter(({ at }) => at >= first)].sort((a, b) => a.at - b.at);
};

const Said = ({ message, isOwn }: { message: Message; isOwn: boolean }): ReactNode => (
  <li className={isOwn ? 'message own' : 'message'} data-message={message.id}>
    <Avatar name={message.author.name} />
    <div>
      <p className="message-head">
        <strong>{isOwn ? 'You' : message.author.name}</strong> <time>{timeText(message.at)}</time>
        {isOwn && (
          <span className="sent" title="Stored, and told to everybody">
            ✓ <span className="unseen">sent</span>
          </span>
        )}
      </p>
      <p className="words">{message.text}</p>
    </div>
  </li>
);

const OnItsWay = ({ message, onAgain }: { message: Outgoing; onAgain: () => void }): ReactNode => (
  <li className={`message own ${message.state}`}>
    <div>
      <p className="message-head">
        <strong>You</strong>{' '}
        {message.state === 'pending' ? (
          <span className="pending-mark">sending …</span>
        ) : (
          <span role="alert">
            not sent: {message.reason}{' '}
            <button type="button" onClick={onAgain}>
              Send again
            </button>
          </span>
        )}
      </p>
      <p className="words">{message.text}</p>
    </div>
  </li>
);

/** Fetches what is before the first message when one scrolls there, and keeps in sight what was. */
const useOlder = ({ projectId, state, dispatch }: ProjectPart) => {
  const [isFetching, setIsFetching] = useState(false);
  const { warn } = useTeller();
  const first = state.messages[0]?.seq;
  const fetchOlder = async () => {
    if (isFetching || !state.hasOlder || first === undefined) return;
    setIsFetching(true);
    try {
      const path = `/projects/${projectId}/messages?before=${first}`;
      const { messages } = await request<{ messages: Message[] }>('GET', path);
      dispatch({ type: 'older', messages });
    } catch (error) {
      warn(messageOf(error));
    } finally {
      setIsFetching(false);
    }
  };
  return { isFetching, fetchOlder };
};

export const MessageList = (props: {
  part: ProjectPart;
  waiting: readonly Outgoing[];
  onAgain: (message: Outgoing) => void;
}): ReactNode => {
  const { part, waiting, onAgain } = props;
  const { messages, hasOlder } = part.state;
  const { lines } = part.present;
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  const { isFetching, fetchOlder } = useOlder(part);

  const first = messages[0]?.id;
  const before = useRef({ first, height: 0 });
  useLayoutEffect(() => {
    const box = list.current;
    if (box === null) return;
    if (before.current.first !== first) box.scrollTop += box.scrollHeight - before.current.height;
    // Before the browser paints: what has grown below would look like having scrolled up.
    else if (isAtEnd.current) box.scrollTop = box.scrollHeight;
    before.current = { first, height: box.scrollHeight };
  });
  const scrolled = () => {
    const box = list.current;
    if (box === null) return;
    isAtEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    if (box.scrollTop < NEAR_BEGIN && box.scrollHeight > box.clientHeight) void fetchOlder();
  };

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <ol ref={list} className="messages" role="log" aria-label="Messages" tabIndex={0} onScroll={scrolled}>
      {hasOlder && (
        <li className="line">
          <button type="button" className="quiet" disabled={isFetching} onClick={() => void fetchOlder()}>
            Older messages
          </button>
        </li>
      )}
      {inOrder(messages, lines).map((one) =>
        'seq' in one ? (
          <Said key={one.id} message={one} isOwn={one.author.id === part.user.id} />
        ) : (
          <li key={one.id} className="line">
            {one.name} {one.kind}
          </li>
        ),
      )}
      {waiting.map((message) => (
        <OnItsWay key={message.id} message={message} onAgain={() => onAgain(message)} />
      ))}
    </ol>
  );
};
