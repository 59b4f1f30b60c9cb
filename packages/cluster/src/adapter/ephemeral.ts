import type { BroadcastFlags } from 'socket.io-adapter';

/** What a broadcast may carry beside the flags of Socket.IO; it travels with them, and stock nodes ignore it. */
export interface EphemeralFlags extends BroadcastFlags {
  /** It may be lost for who does not keep up. */
  droppable: true;
  /** While it waits, a newer one of the same rooms, event and key takes its place. */
  conflate?: string;
}

/** The flags of what is not logged: it is dropped before anything else when a socket does not keep up. */
export const ephemeralFlags = (conflate?: string): EphemeralFlags => ({
  droppable: true,
  ...(conflate !== undefined && { conflate }),
});
