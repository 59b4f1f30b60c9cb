import { type ReactNode, useCallback, useEffect, useState } from 'react';
import type { ProjectListItem, User } from '../../contract.ts';
import { useRenewedRights } from '../live/live.tsx';
import { useInboxEvent } from '../people/inbox.tsx';
import { Link } from '../ui/link.tsx';
import { messageOf, request } from '../ui/request.ts';
import { navigate } from '../ui/router.ts';
import { useTeller } from '../ui/toasts.tsx';
import { useSubmit } from '../ui/use-submit.ts';
import { TopBar } from './top-bar.tsx';
import './project-list.css';

export const ProjectList = ({ user }: { user: User }): ReactNode => {
  const [projects, setProjects] = useState<ProjectListItem[]>();
  const { warn } = useTeller();
  const renewRights = useRenewedRights();

  const load = useCallback(() => {
    request<{ projects: ProjectListItem[] }>('GET', '/projects').then(
      (answer) => setProjects(answer.projects),
      (error: unknown) => warn(messageOf(error)),
    );
  }, [warn]);
  // The list is in no room, where its user would be shown as present: it is read anew when it is looked at again.
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'visible') load();
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [load]);
  useInboxEvent((event) => {
    if (event.event === 'notified') load();
  });

  const { isSending, submit } = useSubmit(async (form) => {
    const { id } = await request<{ id: string }>('POST', '/projects', { name: String(form.get('name')) });
    renewRights();
    navigate(`/p/${id}`);
  });

  return (
    <>
      <TopBar user={user} />
      <main className="project-list">
        <h1>Projects</h1>
        <ul>
          {projects?.map((project) => (
            <li key={project.id} className="panel">
              <Link to={`/p/${project.id}`} className="project-link">
                <strong>{project.name}</strong>
                <span className={`status ${project.status}`}>{project.status}</span>
                {project.unread > 0 && <span className="count">{project.unread} new</span>}
              </Link>
              <Link to={`/p/${project.id}/dashboard`} className="quiet-link">
                Dashboard
              </Link>
            </li>
          ))}
          {projects?.length === 0 && <li>You are in no project yet: begin one, or ask to be invited.</li>}
        </ul>
        <form onSubmit={submit} className="inline-form">
          <label>
            <span className="unseen">Name of a new project</span>
            <input name="name" placeholder="A new project" required maxLength={100} />
          </label>
          <button type="submit" aria-disabled={isSending} className="primary">
            Create
          </button>
        </form>
      </main>
    </>
  );
};
