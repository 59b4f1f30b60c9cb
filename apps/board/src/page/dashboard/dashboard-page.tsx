import { type ReactNode, useEffect, useState } from 'react';
import type { User } from '../../contract.ts';
import { NoProject } from '../projects/no-project.tsx';
import { TopBar } from '../projects/top-bar.tsx';
import { Avatar } from '../ui/avatar.tsx';
import { Link } from '../ui/link.tsx';
import { timeText } from '../ui/time.ts';
import { MinutesChart, TasksChart } from './charts.tsx';
import { perMinute } from './numbers.ts';
import { useNumbers } from './use-numbers.ts';
import './dashboard.css';

/** The chart moves on by itself; nothing is asked for that. */
const TICK_MS = 10_000;

const useNow = (): number => {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
};

/** A project from afar: for a screen on the wall, and for those who may only look. */
export const DashboardPage = ({ projectId, user }: { projectId: string; user: User }): ReactNode => {
  const { numbers, problem, isLive } = useNumbers(projectId);
  const now = useNow();
  if (problem !== undefined && (numbers === undefined || !problem.mayRetry)) {
    return <NoProject user={user} problem={problem} />;
  }
  if (numbers === undefined) return <p className="whole-page">One moment …</p>;
  const { project, columns, tasks, comments, messages } = numbers;
  const minutes = perMinute(messages, now);
  return (
    <>
      <TopBar user={user} isCatchingUp={!isLive}>
        <div className="project-head">
          <h1>{project.name}</h1>
          <span className={`status ${project.status}`}>{project.status}</span>
          <Link to={`/p/${projectId}`} className="quiet-link">
            Board
          </Link>
        </div>
      </TopBar>
      <main className="dashboard">
        <section className="panel" aria-labelledby="tasks-title">
          <h2 id="tasks-title">
            Tasks <span className="big">{tasks.length}</span>
          </h2>
          <TasksChart
            rows={columns.map(({ id, title }) => ({
              id,
              title,
              count: tasks.filter(({ columnId }) => columnId === id).length,
            }))}
          />
        </section>
        <section className="panel" aria-labelledby="messages-title">
          <h2 id="messages-title">
            Messages per minute <span className="big">{minutes.at(-1) ?? 0}</span>
          </h2>
          <MinutesChart counts={minutes} />
        </section>
        <section className="panel wide" aria-labelledby="comments-title">
          <h2 id="comments-title">Comments</h2>
          <ul className="feed" aria-live="polite" aria-relevant="additions">
            {comments.map(({ id, author, taskTitle, text, at }) => (
              <li key={id}>
                <Avatar name={author.name} />
                <div>
                  <strong>{author.name}</strong> on <em>{taskTitle}</em> <time>{timeText(at)}</time>
                  <p className="words">{text}</p>
                </div>
              </li>
            ))}
            {comments.length === 0 && <li className="nothing">Nobody has commented on a task yet.</li>}
          </ul>
        </section>
      </main>
    </>
  );
};
