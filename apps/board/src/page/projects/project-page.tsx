import { type ReactNode, useEffect, useState } from 'react';
import type { User } from '../../contract.ts';
import { Chat } from '../chat/chat.tsx';
import { useWriting } from '../chat/use-outgoing.ts';
import { useUnread } from '../chat/use-unread.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { usePresent } from '../live/use-present.ts';
import { useProject } from '../live/use-project.ts';
import { People } from '../people/people.tsx';
import { TaskBoard } from '../tasks/task-board.tsx';
import { NoProject } from './no-project.tsx';
import { ProjectHead } from './project-head.tsx';
import { TopBar } from './top-bar.tsx';
import './project-page.css';

type Tab = 'tasks' | 'chat' | 'people';
const TABS: readonly { id: Tab; title: string }[] = [
  { id: 'tasks', title: 'Tasks' },
  { id: 'chat', title: 'Chat' },
  { id: 'people', title: 'People' },
];

/** Wide enough for tasks and chat side by side. */
const useIsWide = (): boolean => {
  const [query] = useState(() => matchMedia('(min-width: 64rem)'));
  const [isWide, setIsWide] = useState(query.matches);
  useEffect(() => {
    const changed = () => setIsWide(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return isWide;
};

const Sides = (props: { part: ProjectPart; isWide: boolean; tab: Tab; side: Tab }): ReactNode => {
  const { part, isWide, tab, side } = props;
  const writing = useWriting(part);
  return (
    <>
      {(isWide || tab === 'tasks') && <TaskBoard {...part} />}
      {side === 'chat' && <Chat part={part} writing={writing} />}
      {side === 'people' && <People {...part} />}
    </>
  );
};

export const ProjectPage = ({ projectId, user }: { projectId: string; user: User }): ReactNode => {
  const { state, dispatch, room, isLive, problem } = useProject(projectId);
  const present = usePresent(state === undefined ? null : projectId, state?.members ?? []);
  const isWide = useIsWide();
  const [tab, setTab] = useState<Tab>('tasks');
  const side = isWide && tab === 'tasks' ? 'chat' : tab;
  const unread = useUnread({ state, user, isShown: side === 'chat', dispatch, projectId });

  if (problem !== undefined && (state === undefined || !problem.mayRetry)) {
    return <NoProject user={user} problem={problem} />;
  }
  if (state === undefined) return <p className="whole-page">One moment …</p>;
  const role = state.members.find(({ id }) => id === user.id)?.role ?? 'viewer';
  const shared = { projectId, user, role, state, dispatch, room, mayWrite: role !== 'viewer', present };
  return (
    <div className="project-page">
      <TopBar user={user} isCatchingUp={!isLive}>
        <ProjectHead {...shared} />
      </TopBar>
      <nav className="tabs" aria-label="Parts of the project">
        {TABS.filter(({ id }) => !isWide || id !== 'tasks').map(({ id, title }) => (
          <button
            key={id}
            type="button"
            aria-current={side === id ? 'page' : undefined}
            onClick={() => setTab(id)}
          >
            {title}
            {id === 'chat' && unread > 0 && (
              <span className="count" role="status">
                {unread} <span className="unseen">unread</span>
              </span>
            )}
          </button>
        ))}
      </nav>
      <Sides part={shared} isWide={isWide} tab={tab} side={side} />
    </div>
  );
};
