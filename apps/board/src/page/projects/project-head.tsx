import type { ReactNode } from 'react';
import { PROJECT_STATUSES, type Project, type ProjectStatus } from '../../contract.ts';
import type { ProjectState } from '../live/project-state.ts';
import { Link } from '../ui/link.tsx';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

const isStatus = (text: string): text is ProjectStatus => PROJECT_STATUSES.some((status) => status === text);

/** Name and status of the project, and the way to its dashboard. */
export const ProjectHead = (props: {
  projectId: string;
  state: ProjectState;
  mayWrite: boolean;
}): ReactNode => {
  const { project } = props.state;
  const { warn } = useTeller();
  const setStatus = async (status: string) => {
    if (!isStatus(status)) return;
    try {
      await request<Project>('PATCH', `/projects/${props.projectId}`, { name: project.name, status });
    } catch (error) {
      warn(messageOf(error));
    }
  };
  return (
    <div className="project-head">
      <h1>{project.name}</h1>
      {props.mayWrite ? (
        <select
          aria-label="Status of the project"
          className={`status ${project.status}`}
          value={project.status}
          onChange={(event) => void setStatus(event.target.value)}
        >
          {PROJECT_STATUSES.map((status) => (
            <option key={status}>{status}</option>
          ))}
        </select>
      ) : (
        <span className={`status ${project.status}`}>{project.status}</span>
      )}
      <Link to={`/p/${props.projectId}/dashboard`} className="quiet-link">
        Dashboard
      </Link>
    </div>
  );
};
