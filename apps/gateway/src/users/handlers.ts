import { randomUUID } from 'node:crypto';
import { AppError, type DirectMeta, mayReachUser, userRoom, userSend } from '@fanfare/protocol';
import { tellOthers } from '../delivery/tell-others.ts';
import type { Edge } from '../edge/on.ts';
import type { TellUser } from './tell-user.ts';

/** `user:send`: to the sockets of one user and the sender's other ones, never logged. */
export function registerUsers({ edge, tellUser }: { edge: Edge; tellUser: TellUser }): void {
  edge.on(userSend, async (socket, { user, event, data }) => {
    if (!mayReachUser(socket.data.claims.users, user)) {
      throw new AppError('forbidden', 'The token does not allow sending to this user: see its "users" claim');
    }
    const from = socket.data.user.id;
    const meta: DirectMeta = { from, to: user, id: randomUUID(), at: Date.now() };
    if (!(await tellUser(socket, user, [event, data, meta]))) throw new AppError('user_offline');
    if (user !== from) tellOthers(socket, userRoom(from), { packet: [event, data, meta] });
    return {};
  });
}
