import { type Dispatch, useEffect } from 'react';
import type { User } from '../../contract.ts';
import type { Action, ProjectState } from '../live/project-state.ts';
import { request } from '../ui/request.ts';

export interface UnreadOptions {
  state: ProjectState | undefined;
  user: User;
  projectId: string;
  /** Whether the chat is in sight. */
  isShown: boolean;
  dispatch: Dispatch<Action>;
}

/** How many messages of others are unread; those in sight of somebody become read. */
export const useUnread = ({ state, user, projectId, isShown, dispatch }: UnreadOptions): number => {
  const readUpTo = state?.readUpTo ?? 0;
  const unread = (state?.messages ?? []).filter(({ seq, author }) => seq > readUpTo && author.id !== user.id);
  const count = (state?.unreadBefore ?? 0) + unread.length;
  const last = count > 0 ? state?.messages.at(-1)?.seq : undefined;
  useEffect(() => {
    if (!isShown || last === undefined) return;
    const read = () => {
      if (document.visibilityState !== 'visible') return;
      dispatch({ type: 'read', upTo: last });
      // What is lost of this is read again the next time.
      request('PUT', `/projects/${projectId}/read`, { upTo: last }).catch(() => undefined);
    };
    read();
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, [isShown, last, projectId, dispatch]);
  return count;
};
