import { type ReactNode, useState } from 'react';
import { type Member, ROLES } from '../../contract.ts';
import type { ProjectPart } from '../live/project-part.ts';
import { Avatar } from '../ui/avatar.tsx';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';
import { useSubmit } from '../ui/use-submit.ts';
import { DirectDialog } from './direct-dialog.tsx';
import { useHug } from './use-hug.ts';
import './people.css';

const RoleOptions = (): ReactNode =>
  ROLES.filter((role) => role !== 'owner').map((role) => <option key={role}>{role}</option>);

const RoleOf = ({ member, onGive }: { member: Member; onGive: (role: string) => void }): ReactNode => (
  <select
    className="role"
    aria-label={`Role of ${member.name}`}
    value={member.role}
    onChange={(event) => onGive(event.currentTarget.value)}
  >
    <RoleOptions />
  </select>
);

const Invite = ({ part }: { part: ProjectPart }): ReactNode => {
  const { isSending, submit } = useSubmit(async (form) => {
    const given = Object.fromEntries(form);
    const data = await request<Member>('POST', `/projects/${part.projectId}/members`, given);
    part.dispatch({ type: 'told', event: { event: 'member:added', data } });
  });
  return (
    <form onSubmit={submit} className="inline-form">
      <label>
        <span className="unseen">Name of whom you invite</span>
        <input name="name" placeholder="Name" required autoComplete="off" autoCapitalize="none" />
      </label>
      <label>
        <span className="unseen">Role</span>
        <select name="role" defaultValue="member">
          <RoleOptions />
        </select>
      </label>
      <button type="submit" aria-disabled={isSending}>
        Invite
      </button>
    </form>
  );
};

/** Who takes part, who is here now, and what one may do to them. */
export const People = (part: ProjectPart): ReactNode => {
  const { state, user, role, projectId, dispatch } = part;
  const hug = useHug();
  const { warn } = useTeller();
  const [writingTo, setWritingTo] = useState<Member>();
  const isOwner = role === 'owner';

  const give = async (member: Member, given: string) => {
    try {
      const data = await request<Member>('POST', `/projects/${projectId}/members`, {
        name: member.name,
        role: given,
      });
      dispatch({ type: 'told', event: { event: 'member:added', data } });
    } catch (error) {
      warn(messageOf(error));
    }
  };
  const remove = async (member: Member) => {
    try {
      await request('DELETE', `/projects/${projectId}/members/${member.id}`);
      dispatch({ type: 'told', event: { event: 'member:removed', data: { id: member.id } } });
    } catch (error) {
      warn(messageOf(error));
    }
  };

  return (
    <section className="people side" aria-label="People">
      <ul>
        {state.members.map((member) => {
          const isHere = part.present.ids.has(member.id);
          return (
            <li key={member.id}>
              <Avatar name={member.name} isHere={isHere} />
              <span className="person">
                <span>
                  <strong>{member.name}</strong>
                  {isHere && <small> here now</small>}
                </span>
                <small>
                  {isOwner && member.id !== user.id ? (
                    <RoleOf member={member} onGive={(given) => void give(member, given)} />
                  ) : (
                    member.role
                  )}
                </small>
              </span>
              {member.id !== user.id && (
                <>
                  <button type="button" onClick={() => void hug(member)} aria-label={`Hug ${member.name}`}>
                    Hug
                  </button>
                  <button
                    type="button"
                    onClick={() => setWritingTo(member)}
                    aria-label={`Write to ${member.name} privately`}
                  >
                    Write
                  </button>
                  {isOwner && (
                    <button
                      type="button"
                      className="quiet"
                      onClick={() => void remove(member)}
                      aria-label={`Remove ${member.name} from the project`}
                    >
                      ✕
                    </button>
                  )}
                </>
              )}
            </li>
          );
        })}
      </ul>
      {isOwner && <Invite part={part} />}
      {writingTo !== undefined && (
        <DirectDialog user={user} person={writingTo} onClose={() => setWritingTo(undefined)} />
      )}
    </section>
  );
};
