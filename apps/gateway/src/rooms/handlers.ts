import { AppError, roomJoin, roomLeave, roomPublish } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { on } from '../socket/on.ts';
import { authorize, metaOf } from '../socket/permission.ts';
import type { GatewaySocket } from '../socket/server.ts';

/** No room has a log: every room is where nobody published to it, and nothing can be recovered. */
const START = { epoch: '', offset: 0, recovered: false, events: [] };

/** `room:join`, `room:leave` and `room:publish`. */
export function registerRooms(socket: GatewaySocket, events: GatewayEvents): void {
  const join = async (room: string) => {
    authorize(socket, { room, action: 'join' });
    await socket.join(room);
    return { room, ...START };
  };
  on(socket, roomJoin, {
    events,
    handle: async (request) => {
      if (!('rooms' in request)) return join(request.room);
      const answers = request.rooms.map(({ room }) =>
        join(room).catch((thrown: unknown) => ({ room, error: AppError.from(thrown).toWire() })),
      );
      return { rooms: await Promise.all(answers) };
    },
  });
  on(socket, roomLeave, {
    events,
    handle: async ({ room }) => {
      await socket.leave(room);
      return {};
    },
  });
  on(socket, roomPublish, {
    events,
    handle: ({ room, event, data, id }) => {
      authorize(socket, { room, action: 'publish', event });
      socket.nsp.to(room).emit(event, data, metaOf(socket, room, id));
      return { epoch: '', offset: null, duplicate: false };
    },
  });
}
