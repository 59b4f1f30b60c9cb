import { type FormEvent, type ReactNode, useState } from 'react';
import type { Me } from '../../contract.ts';
import { Avatar } from '../ui/avatar.tsx';
import { messageOf, request } from '../ui/request.ts';
import './sign-in.css';

interface Given {
  name: string;
  password: string;
}

const ROLE_OF: Record<string, string> = { ada: 'owns the project', grace: 'writes', linus: 'only looks' };

export const SignIn = (props: { samples: Me['samples']; onSignedIn: () => void }): ReactNode => {
  const [isNew, setIsNew] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);

  const enter = async (given: Given, path: '/users' | '/session') => {
    setIsBusy(true);
    setProblem(undefined);
    try {
      await request('POST', path, given);
      props.onSignedIn();
    } catch (error) {
      setProblem(messageOf(error));
      setIsBusy(false);
    }
  };

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = { name: String(form.get('name')), password: String(form.get('password')) };
    void enter(given, isNew ? '/users' : '/session');
  };

  return (
    <main className="sign-in">
      <h1>
        <span className="brand-mark" aria-hidden="true" /> Fanfare Board
      </h1>
      <p className="lead">Tasks and talk that everybody sees at once, and that no broken cable loses.</p>
      <form onSubmit={submit} className="panel">
        <h2>{isNew ? 'New account' : 'Sign in'}</h2>
        <label>
          Name
          <input
            name="name"
            autoComplete="username"
            autoCapitalize="none"
            required
            minLength={2}
            maxLength={30}
          />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete={isNew ? 'new-password' : 'current-password'}
            required
            minLength={isNew ? 8 : 1}
          />
        </label>
        {problem !== undefined && (
          <p role="alert" className="problem">
            {problem}
          </p>
        )}
        <button type="submit" className="primary" disabled={isBusy}>
          {isNew ? 'Sign up' : 'Sign in'}
        </button>
        <button type="button" className="quiet" onClick={() => setIsNew(!isNew)}>
          {isNew ? 'I have an account' : 'I am new here'}
        </button>
      </form>
      {props.samples.length > 0 && (
        <section className="panel samples" aria-label="Sample accounts">
          <h2>Or look around as</h2>
          {props.samples.map((sample) => (
            <button
              key={sample.name}
              type="button"
              disabled={isBusy}
              onClick={() => void enter(sample, '/session')}
            >
              <Avatar name={sample.name} />
              <span>
                <strong>{sample.name}</strong> <small>{ROLE_OF[sample.name]}</small>
              </span>
            </button>
          ))}
        </section>
      )}
    </main>
  );
};
