import { type ReactNode, useCallback, useEffect, useState } from 'react';
import type { Me, User } from '../contract.ts';
import { SignIn } from './accounts/sign-in.tsx';
import { DashboardPage } from './dashboard/dashboard-page.tsx';
import { Live } from './live/live.tsx';
import { InboxProvider } from './people/inbox.tsx';
import { ProjectList } from './projects/project-list.tsx';
import { ProjectPage } from './projects/project-page.tsx';
import { messageOf, request } from './ui/request.ts';
import { usePath } from './ui/router.ts';
import { Toasts } from './ui/toasts.tsx';

const ID = '([0-9a-f-]{36})';
const BOARD = new RegExp(`^/p/${ID}$`);
const DASHBOARD = new RegExp(`^/p/${ID}/dashboard$`);

const Place = ({ user }: { user: User }): ReactNode => {
  const path = usePath();
  const board = BOARD.exec(path)?.[1];
  if (board !== undefined) return <ProjectPage key={board} projectId={board} user={user} />;
  const dashboard = DASHBOARD.exec(path)?.[1];
  if (dashboard !== undefined) return <DashboardPage key={dashboard} projectId={dashboard} user={user} />;
  return <ProjectList user={user} />;
};

export const App = (): ReactNode => {
  const [me, setMe] = useState<Me>();
  const [problem, setProblem] = useState<string>();
  const ask = useCallback(() => {
    request<Me>('GET', '/me').then(setMe, (error: unknown) => setProblem(messageOf(error)));
  }, []);
  useEffect(ask, [ask]);

  if (problem !== undefined && me === undefined) return <p className="whole-page">{problem}</p>;
  if (me === undefined) return <p className="whole-page">One moment …</p>;
  if (me.user === null) return <SignIn samples={me.samples} onSignedIn={ask} />;
  return (
    <Toasts>
      <Live user={me.user}>
        <InboxProvider user={me.user}>
          <Place user={me.user} />
        </InboxProvider>
      </Live>
    </Toasts>
  );
};
