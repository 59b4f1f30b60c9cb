import type { ReactNode } from 'react';
import type { User } from '../../contract.ts';
import { ConnectionState } from '../live/connection.tsx';
import { InboxButton } from '../people/inbox-button.tsx';
import { Avatar } from '../ui/avatar.tsx';
import { Link } from '../ui/link.tsx';
import { request } from '../ui/request.ts';
import './top-bar.css';

const signOut = async () => {
  await request('DELETE', '/session');
  location.assign('/board/');
};

/** The head of every page: where one is, whether it is live, and who one is. */
export const TopBar = (props: {
  user: User;
  isCatchingUp?: boolean;
  /** Nothing is shown that could be live. */
  isEmpty?: boolean;
  children?: ReactNode;
}): ReactNode => (
  <header className="top-bar">
    <Link to="/" className="brand">
      <span className="brand-mark" aria-hidden="true" />
      <span className="brand-name">Fanfare Board</span>
    </Link>
    {props.children}
    <span className="grow" />
    {!props.isEmpty && <ConnectionState isCatchingUp={props.isCatchingUp ?? false} />}
    <InboxButton />
    <details className="menu">
      <summary aria-label={`Signed in as ${props.user.name}`}>
        <Avatar name={props.user.name} />
      </summary>
      <div className="menu-body">
        <p>
          Signed in as <strong>{props.user.name}</strong>
        </p>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </details>
  </header>
);
