import { type Client, createClient, FanfareError } from '@fanfare/client';
import { FanfareProvider } from '@fanfare/client/react';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react';
import type { BoardEvents, User } from '../../contract.ts';
import { RequestError, request } from '../ui/request.ts';

declare module '@fanfare/client' {
  interface Register {
    events: BoardEvents;
  }
}

/** The board's backend says what this user's sockets may do; who has no session any more gets no token ever. */
const fetchToken = async (): Promise<string> => {
  try {
    const { token } = await request<{ token: string }>('POST', '/token');
    return token;
  } catch (error) {
    if (error instanceof RequestError && error.code === 'signed_out') {
      throw new FanfareError('forbidden', error.message, { cause: error });
    }
    throw error;
  }
};

const Renew = createContext<() => void>(() => undefined);

/** Opens a new session with a fresh token: for rights that were given since the last one. */
export const useRenewedRights = (): (() => void) => useContext(Renew);

/** One session with the cluster for each signed-in user. */
export const Live = ({ user, children }: { user: User; children: ReactNode }): ReactNode => {
  const [generation, setGeneration] = useState(0);
  const [client, setClient] = useState<Client>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new user or generation takes a new session.
  useEffect(() => {
    const opened = createClient<BoardEvents>({ token: fetchToken, backoff: { maxDelayMs: 10_000 } });
    setClient(opened);
    return () => opened.close();
  }, [user.id, generation]);
  const renew = useCallback(() => setGeneration((count) => count + 1), []);
  if (client === undefined) return null;
  return (
    <Renew.Provider value={renew}>
      <FanfareProvider client={client}>{children}</FanfareProvider>
    </Renew.Provider>
  );
};
