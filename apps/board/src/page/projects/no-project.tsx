import type { ReactNode } from 'react';
import type { User } from '../../contract.ts';
import { Link } from '../ui/link.tsx';
import type { RequestError } from '../ui/request.ts';
import { TopBar } from './top-bar.tsx';

/** In place of a project, or of its dashboard, that cannot be shown. */
export const NoProject = ({ user, problem }: { user: User; problem: RequestError }): ReactNode => (
  <>
    <TopBar user={user} isEmpty />
    <main className="whole-page">
      <p role="alert">{problem.message}</p>
      <Link to="/">All projects</Link>
    </main>
  </>
);
