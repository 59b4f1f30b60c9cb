import { UserSketch } from '@fanfare/cluster';
import { isUserRoom } from '@fanfare/protocol';
import type { GatewayNamespace } from '../socket/server.ts';

/** The users who have a socket of this process. */
export interface UsersOnline {
  readonly count: number;
  /** Who they are, to be counted together with those of other processes. */
  readonly sketch: UserSketch;
}

/** Counts by the rooms that the sockets of each user share, so that nothing is kept for one who is there. */
export function countUsersOnline(namespaces: readonly GatewayNamespace[]): UsersOnline {
  const adapters = namespaces.map(({ adapter }) => adapter);
  const sketch = new UserSketch();
  let count = 0;
  for (const adapter of adapters) {
    const others = adapters.filter((other) => other !== adapter);
    const isElsewhere = (room: string) => others.some(({ rooms }) => rooms.has(room));
    adapter.on('create-room', (room: string) => {
      if (!isUserRoom(room) || isElsewhere(room)) return;
      count += 1;
      sketch.add(room);
    });
    adapter.on('delete-room', (room: string) => {
      if (!isUserRoom(room) || isElsewhere(room)) return;
      count -= 1;
      sketch.delete(room);
    });
  }
  return {
    get count() {
      return count;
    },
    sketch,
  };
}
