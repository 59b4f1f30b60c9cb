import { useEvent } from '@fanfare/client/react';
import { type ReactNode, useEffect, useState } from 'react';
import type { Comment, Task } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { Avatar } from '../ui/avatar.tsx';
import { messageOf, request } from '../ui/request.ts';
import { timeText } from '../ui/time.ts';
import { useTeller } from '../ui/toasts.tsx';
import { useSubmit } from '../ui/use-submit.ts';

/** Oldest first; the same comment may come from the answer and from the room. */
const withComments = (known: readonly Comment[], more: readonly Comment[]): Comment[] => {
  const all = new Map([...known, ...more].map((comment) => [comment.id, comment]));
  return [...all.values()].sort((a, b) => a.at - b.at);
};

export const Comments = ({ part, task }: { part: ProjectPart; task: Task }): ReactNode => {
  const [comments, setComments] = useState<readonly Comment[]>([]);
  const { warn } = useTeller();
  const { reset } = part.room;

  // biome-ignore lint/correctness/useExhaustiveDependencies: after a reset of the room some may be missing.
  useEffect(() => {
    request<{ comments: Comment[] }>('GET', `/tasks/${task.id}/comments`).then(
      (answer) => setComments((known) => withComments(known, answer.comments)),
      (error: unknown) => warn(messageOf(error)),
    );
  }, [task.id, reset, warn]);
  useEvent(part.room, 'comment:added', (comment) => {
    if (comment.taskId === task.id) setComments((known) => withComments(known, [comment]));
  });

  const { isSending, submit } = useSubmit(async (form) => {
    const text = String(form.get('text'));
    const added = await request<Comment>('POST', `/tasks/${task.id}/comments`, { text });
    setComments((known) => withComments(known, [added]));
  });

  return (
    <section className="comments-section" aria-label="Comments">
      <h3>Comments</h3>
      <ul>
        {comments.map(({ id, author, text, at }) => (
          <li key={id}>
            <Avatar name={author.name} />
            <div>
              <strong>{author.name}</strong> <time>{timeText(at)}</time>
              <p className="words">{text}</p>
            </div>
          </li>
        ))}
        {comments.length === 0 && <li className="nothing">Nobody has said anything yet.</li>}
      </ul>
      {part.mayWrite && (
        <form onSubmit={submit} className="inline-form">
          <label>
            <span className="unseen">Your comment</span>
            <input
              name="text"
              placeholder="Say something; @name tells somebody"
              required
              maxLength={4000}
              autoComplete="off"
            />
          </label>
          <button type="submit" aria-disabled={isSending}>
            Comment
          </button>
        </form>
      )}
    </section>
  );
};
