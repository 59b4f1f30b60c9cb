import { useEvent, useRoom } from '@fanfare/client/react';
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { INBOX, type InboxEvents, type User } from '../../contract.ts';
import { useRenewedRights } from '../live/live.tsx';
import { useTeller } from '../ui/toasts.tsx';
import { useHugged } from './use-hug.ts';

/** Something that came for this user, in the order of the inbox. */
export type InboxItem = {
  [Name in keyof InboxEvents]: { id: string; at: number; event: Name; data: InboxEvents[Name] };
}[keyof InboxEvents];

type Listener = (item: InboxItem) => void;

interface Inbox {
  user: User;
  items: readonly InboxItem[];
  /** So many came since it was last looked at. */
  unseen: number;
  see: () => void;
  listeners: Set<Listener>;
}

const Context = createContext<Inbox | undefined>(undefined);

export const useInbox = (): Inbox => {
  const inbox = useContext(Context);
  if (inbox === undefined) throw new Error('Put an <InboxProvider> around this component');
  return inbox;
};

/** Calls `listener` with what comes from now on. */
export const useInboxEvent = (listener: Listener): void => {
  const { listeners } = useInbox();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => {
    const hear: Listener = (item) => latest.current(item);
    listeners.add(hear);
    return () => void listeners.delete(hear);
  }, [listeners]);
};

/** What of the past is shown, in events. */
const REPLAY = 50;
/** With these comes another token. */
const RIGHTS: ReadonlySet<InboxEvents['notified']['kind']> = new Set(['invited', 'role']);
const SEEN_KEY = 'fanfare-board-inbox-seen';

export const describeItem = (item: InboxItem): string => {
  if (item.event === 'direct:sent') return `${item.data.from.name}: ${item.data.text}`;
  const { kind, by, project, text } = item.data;
  if (kind === 'assigned') return `${by.name} gave you “${text}” in ${project.name}`;
  if (kind === 'mentioned') return `${by.name} mentioned you in ${project.name}: ${text}`;
  if (kind === 'role') return `${by.name} made you a ${text} in ${project.name}`;
  return `${by.name} invited you to ${project.name}`;
};

/** An own message is in the inbox too, for the other tabs; it is no news. */
const isNews = (item: InboxItem, user: User): boolean =>
  item.event !== 'direct:sent' || item.data.from.id !== user.id;

/** The id of the newest item that was there when it was last looked at. Clocks of server and browser may differ. */
const readSeen = (user: User): string | null => localStorage.getItem(`${SEEN_KEY}-${user.id}`);

/** Those after it; all of them when it is so old that it is not kept, or when there was none. */
const unseenOf = (items: readonly InboxItem[], seen: string | null): readonly InboxItem[] =>
  items.slice(items.findIndex(({ id }) => id === seen) + 1);

/** The logged inbox of the user: what came while they were away is there when they are back. */
export const InboxProvider = ({ user, children }: { user: User; children: ReactNode }): ReactNode => {
  const [items, setItems] = useState<readonly InboxItem[]>([]);
  const [seen, setSeen] = useState(() => readSeen(user));
  const [listeners] = useState(() => new Set<Listener>());
  const [heard] = useState(() => new Set<string>());
  const { tell } = useTeller();
  const renewRights = useRenewedRights();
  const room = useRoom(INBOX, { replay: REPLAY });
  // What comes before the first join is complete has been there before this page.
  const isPast = useRef(true);
  const isJoined = room.state === 'joined';
  useEffect(() => {
    if (isJoined) isPast.current = false;
  }, [isJoined]);
  useHugged(user);

  const add = (item: InboxItem) => {
    // A new session is told of the past again.
    if (heard.has(item.id)) return;
    heard.add(item.id);
    setItems((all) => [...all, item]);
    if (isPast.current) return;
    for (const listener of listeners) listener(item);
    if (isNews(item, user)) tell(describeItem(item));
    if (item.event === 'notified' && RIGHTS.has(item.data.kind)) renewRights();
  };
  useEvent(room, 'notified', (data, { id, at }) => add({ id, at, event: 'notified', data }));
  useEvent(room, 'direct:sent', (data, { id, at }) => add({ id, at, event: 'direct:sent', data }));

  const newest = items.at(-1)?.id;
  const see = useCallback(() => {
    if (newest === undefined) return;
    localStorage.setItem(`${SEEN_KEY}-${user.id}`, newest);
    setSeen(newest);
  }, [user.id, newest]);
  const inbox = useMemo<Inbox>(() => {
    const newsOf = (some: readonly InboxItem[]) => some.filter((item) => isNews(item, user));
    return { user, items: newsOf(items), unseen: newsOf(unseenOf(items, seen)).length, see, listeners };
  }, [items, user, seen, see, listeners]);
  return <Context.Provider value={inbox}>{children}</Context.Provider>;
};
