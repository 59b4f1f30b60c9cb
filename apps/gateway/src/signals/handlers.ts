import { roomSignal } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import { on } from '../socket/on.ts';
import { authorize, metaOf } from '../socket/permission.ts';
import type { GatewaySocket } from '../socket/server.ts';

/** `room:signal`: to the other members of the room, never logged. */
export function registerSignals(socket: GatewaySocket, events: GatewayEvents): void {
  on(socket, roomSignal, {
    events,
    handle: ({ room, event, data }) => {
      authorize(socket, { room, action: 'signal', event });
      socket.to(room).emit(event, data, metaOf(socket, room));
      return {};
    },
  });
}
