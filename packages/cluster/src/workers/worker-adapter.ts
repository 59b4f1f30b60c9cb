import { NodeClusterAdapter } from '@socket.io/cluster-adapter';
import type { ClusterResponse } from 'socket.io-adapter';
import { z } from 'zod';
import { withoutUnwritable } from '../adapter/socket-details.ts';

/** How often the workers of a machine without Redis tell each other that they live, and the silence that ends it, in ms. */
const HEARTBEAT_MS = 500;
const SILENCE_MS = 2000;

type Response = ClusterResponse & { source: string; requesterUid: string };

const toldSocket = z.object({
  id: z.string(),
  handshake: z.looseObject({}),
  rooms: z.array(z.string()),
  data: z.unknown(),
});

/** What the channel between processes refuses to copy, such as a function, ends nothing: sockets are told without it. */
class WorkerAdapter extends NodeClusterAdapter {
  protected override async doPublishResponse(to: string, response: Response): Promise<void> {
    try {
      await super.doPublishResponse(to, response);
    } catch (error) {
      if (!('sockets' in response.data)) throw error;
      const sockets = response.data.sockets.map((socket): unknown =>
        JSON.parse(JSON.stringify(withoutUnwritable(toldSocket.parse(socket)))),
      );
      Object.assign(response.data, { sockets });
      await super.doPublishResponse(to, response);
    }
  }
}

/**
 * Shares rooms between the workers of a machine without Redis. A query such as `fetchSockets()` waits for a worker that
 * died until it is missed, and fails after 5 s: with the default of 10 s every query after a crash would.
 */
export const createWorkerAdapter = () =>
  // Socket.IO calls it with `new`, so it cannot be an arrow function.
  function create(namespace: unknown): NodeClusterAdapter {
    return new WorkerAdapter(namespace, { heartbeatInterval: HEARTBEAT_MS, heartbeatTimeout: SILENCE_MS });
  };
