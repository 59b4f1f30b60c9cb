import { useConnection } from '@fanfare/client/react';
import { type ReactNode, useEffect, useState } from 'react';

interface Said {
  tone: 'live' | 'busy' | 'away' | 'ended';
  text: string;
  /** What it means for the one who looks at it. */
  meaning: string;
}

/** Seconds until a time, as they pass; undefined without one. */
const useSecondsUntil = (at: number | undefined): number | undefined => {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (at === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [at]);
  return at === undefined ? undefined : Math.max(1, Math.ceil((at - now) / 1000));
};

const useSaid = (isCatchingUp: boolean): Said => {
  const { status, error, retryAt } = useConnection();
  const seconds = useSecondsUntil(status === 'waiting' ? retryAt : undefined);
  if (status === 'connected') {
    return isCatchingUp
      ? { tone: 'busy', text: 'Catching up', meaning: 'What you missed is on its way.' }
      : { tone: 'live', text: 'Live', meaning: 'You see every change as it happens.' };
  }
  if (status === 'closed') {
    return {
      tone: 'ended',
      text: 'Ended',
      meaning: `${error?.message ?? 'The session has ended'}. Reload the page to go on.`,
    };
  }
  if (error === undefined) return { tone: 'busy', text: 'Connecting', meaning: 'One moment.' };
  const when = seconds === undefined ? 'now' : `in ${seconds} s`;
  return {
    tone: 'away',
    text: status === 'waiting' ? `Back ${when}, nothing lost` : 'Coming back, nothing lost',
    meaning:
      'The connection broke. What others do meanwhile comes when it is back, and what you change is saved as soon as the board answers.',
  };
};

/** Always in sight: whether what is shown is what is, and what happens when it is not. */
export const ConnectionState = ({ isCatchingUp = false }: { isCatchingUp?: boolean }): ReactNode => {
  const { tone, text, meaning } = useSaid(isCatchingUp);
  return (
    <span className={`connection ${tone}`} title={meaning}>
      <span className="dot" aria-hidden="true" />
      {/* The countdown is not read out: only that the state is another one. */}
      <span aria-hidden="true">{text}</span>
      <span className="unseen" role="status">
        {tone === 'away' ? 'Connection lost, coming back, nothing lost' : text}
      </span>
    </span>
  );
};
