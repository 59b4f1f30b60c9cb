import { roomSignal } from '@fanfare/protocol';
import { tellOthers } from '../delivery/tell-others.ts';
import type { Edge } from '../edge/on.ts';
import { metaOf } from '../edge/sender.ts';
import type { Authorize } from '../session/authority.ts';

/** `room:signal`: to the other members of the room, never logged. */
export function registerSignals({ edge, authorize }: { edge: Edge; authorize: Authorize }): void {
  edge.on(roomSignal, (socket, { room, event, data, conflate }) => {
    authorize(socket, { room, action: 'signal', event });
    tellOthers(socket, room, { packet: [event, data, metaOf(socket, room)], conflate });
    return {};
  });
}
