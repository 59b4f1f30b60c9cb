import { ephemeralFlags } from '@fanfare/cluster';
import type { GatewaySocket } from '../socket/server.ts';

const EVENT_PACKET = 2;

/**
 * Tells the other members of a room what is not logged. Who does not keep up may lose it; with `conflate` a newer one of the
 * same room, event and key takes the place of one that still waits for a slow socket.
 */
export function tellOthers(
  socket: GatewaySocket,
  room: string,
  {
    packet,
    conflate,
  }: { packet: readonly [event: string, ...args: unknown[]]; conflate?: string | undefined },
): void {
  const opts = { rooms: new Set([room]), except: new Set([socket.id]), flags: ephemeralFlags(conflate) };
  socket.nsp.adapter.broadcast({ type: EVENT_PACKET, data: [...packet] }, opts);
}
