import { AppError, presenceList } from '@fanfare/protocol';
import { authorize } from '../identity/permission.ts';
import type { Edge } from '../socket/on.ts';
import type { Presence } from './presence.ts';

/** `presence:list`. */
export function registerPresence(edge: Edge, presence: Presence | undefined): void {
  edge.on(presenceList, (socket, { room, cursor }) => {
    authorize(socket, { room, action: 'presence' });
    if (presence === undefined) {
      throw new AppError('not_found', 'This cluster keeps no presence: FANFARE_PRESENCE is off');
    }
    return presence.list(room, cursor);
  });
}
