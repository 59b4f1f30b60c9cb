import type { ReactNode } from 'react';
import { timeText } from '../ui/time.ts';
import { describeItem, useInbox } from './inbox.tsx';

/** The bell: how much is new, and what. */
export const InboxButton = (): ReactNode => {
  const { items, unseen, see } = useInbox();
  return (
    <details
      className="menu"
      onToggle={(event) => {
        if (!event.currentTarget.open) see();
      }}
    >
      <summary aria-label={unseen > 0 ? `Notifications, ${unseen} new` : 'Notifications'}>
        <span className="bell" aria-hidden="true" />
        {unseen > 0 && (
          <span className="count" aria-hidden="true">
            {unseen}
          </span>
        )}
      </summary>
      <div className="menu-body inbox">
        <h2>Notifications</h2>
        <ul>
          {items.toReversed().map((item) => (
            <li key={item.id}>
              <span className="words">{describeItem(item)}</span> <time>{timeText(item.at)}</time>
            </li>
          ))}
          {items.length === 0 && <li className="nothing">Nothing yet. What you miss waits here.</li>}
        </ul>
      </div>
    </details>
  );
};
