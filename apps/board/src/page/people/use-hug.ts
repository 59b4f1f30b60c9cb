import { useClient } from '@fanfare/client/react';
import { useCallback } from 'react';
import type { User } from '../../contract.ts';
import { messageOf } from '../ui/request.ts';
import { useTeller } from '../ui/toasts.tsx';

/** Hugs somebody: all of their tabs and one's own hear it, and nobody else. */
export const useHug = (user: User): ((to: User) => Promise<void>) => {
  const client = useClient();
  const { tell, warn } = useTeller();
  return useCallback(
    async ({ id, name }) => {
      try {
        await client.send(id, 'hugged', { from: user, to: { id, name } });
        tell(`You hugged ${name}!`);
      } catch (error) {
        const isAway = error instanceof Error && 'code' in error && error.code === 'user_offline';
        warn(isAway ? `${name} is not here now: a hug needs both of you` : messageOf(error));
      }
    },
    [client, user, tell, warn],
  );
};
