import { useClient, useDirect } from '@fanfare/client/react';
import { useCallback } from 'react';
import type { User } from '../../contract.ts';
import { messageOf, request } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

/** Hugs somebody: all of their tabs and one's own hear it, and nobody else. */
export const useHug = (): ((to: User) => Promise<void>) => {
  const client = useClient();
  const { tell, warn } = useTeller();
  return useCallback(
    async ({ id, name }) => {
      try {
        await client.send(id, 'hugged', null);
        tell(`You hugged ${name}!`);
      } catch (error) {
        const isAway = error instanceof Error && 'code' in error && error.code === 'user_offline';
        warn(isAway ? `${name} is not here now: a hug needs both of you` : messageOf(error));
      }
    },
    [client, tell, warn],
  );
};

/** Hugs go from socket to socket: whoever is away misses them. Who gave one is looked up, as the page that sent it may lie. */
export const useHugged = (user: User): void => {
  const { tell } = useTeller();
  useDirect('hugged', async (_, { from, to }) => {
    const isOwn = from === user.id;
    try {
      const { people } = await request<{ people: User[] }>('GET', '/people');
      const other = people.find(({ id }) => id === (isOwn ? to : from));
      if (other !== undefined) tell(isOwn ? `You hugged ${other.name}!` : `${other.name} hugs you!`);
    } catch {
      tell(isOwn ? 'You hugged somebody!' : 'Somebody hugs you!');
    }
  });
};
