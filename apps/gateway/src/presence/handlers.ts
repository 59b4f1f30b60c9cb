import { AppError, presenceList } from '@fanfare/protocol';
import type { Edge } from '../edge/on.ts';
import type { Authorize } from '../session/authority.ts';
import type { Presence } from './presence.ts';

/** `presence:list`. */
export function registerPresence(deps: {
  edge: Edge;
  authorize: Authorize;
  presence: Presence | undefined;
}): void {
  const { edge, authorize, presence } = deps;
  edge.on(presenceList, (socket, { room, cursor }) => {
    authorize(socket, { room, action: 'presence' });
    if (presence === undefined) {
      throw new AppError('not_found', 'This cluster keeps no presence: FANFARE_PRESENCE is off');
    }
    return presence.list(room, cursor);
  });
}
