import { RoomAdapter } from '@fanfare/cluster';
import { AppError, userRoom } from '@fanfare/protocol';
import { tellOthers } from '../delivery/tell-others.ts';
import type { GatewayNamespace, GatewaySocket } from '../socket/server.ts';

/**
 * Tells the sockets of a user, on whichever nodes they are, but not the sender. Resolves with whether the user has any;
 * rejects with `unavailable` when that cannot be known.
 */
export type TellUser = (
  sender: GatewaySocket,
  user: string,
  packet: readonly [event: string, ...args: unknown[]],
) => Promise<boolean>;

/** Over Redis, or among the workers of a machine without it. */
export function createTellUser(namespace: GatewayNamespace): TellUser {
  const { adapter } = namespace;
  if (adapter instanceof RoomAdapter) {
    return (sender, user, packet) => adapter.tell(userRoom(user), packet, new Set([sender.id]));
  }
  return async (sender, user, packet) => {
    const room = userRoom(user);
    const isOnline = adapter.rooms.has(room) || (await hasSockets(namespace, room));
    if (isOnline) tellOthers(sender, room, { packet });
    return isOnline;
  };
}

/** Asks all workers, which takes no longer than a message to the primary and back. */
const hasSockets = async (namespace: GatewayNamespace, room: string): Promise<boolean> => {
  const sockets = await namespace
    .in(room)
    .fetchSockets()
    .catch((cause: unknown) => {
      throw new AppError('unavailable', undefined, { cause });
    });
  return sockets.length > 0;
};
