import { randomUUID } from 'node:crypto';
import { AppError, type EventMeta, type NodeReport, nodeReport } from '@fanfare/protocol';
import { Emitter } from '@socket.io/redis-emitter';
import { Server } from 'socket.io';
import { z } from 'zod';
import { SOCKET_IO_PREFIX } from './keys.ts';
import { listNodes } from './nodes/registry.ts';
import type { RedisLink } from './redis.ts';
import { createWorkerAdapter } from './workers/worker.ts';

/** An ephemeral event for the members of one or several rooms, on whichever nodes they are. */
export interface Publication {
  namespace: string;
  rooms: readonly string[];
  /** Rooms whose members do not hear it. */
  except: readonly string[];
  event: string;
  data: unknown;
  id?: string | undefined;
}

/** The cluster as a process without sockets sees it. */
export interface ClusterPublisher extends AsyncDisposable {
  readonly mode: 'redis' | 'single';
  /** Resolves when the bus has taken it; rejects with `unavailable` when it cannot. */
  publish(publication: Publication): Promise<void>;
  /** What the living processes say of themselves; rejects with `unavailable` when they cannot be asked. */
  nodes(): Promise<NodeReport[]>;
}

/** Asked of every worker of a machine without Redis, answered with its `NodeReport`. */
export const REPORT_REQUEST = 'fanfare:report';

const unavailable = (cause: unknown) => new AppError('unavailable', undefined, { cause });

/**
 * One message per room, each without the members of the rooms before it: a socket in several of the rooms hears the
 * event once, with the name of a room it is in.
 */
const perRoom = ({ rooms, except, id, event, data }: Publication) => {
  const shared = { id: id ?? randomUUID(), at: Date.now() };
  return [...new Set(rooms)].map((room, i, all) => {
    const meta: EventMeta = { room, ...shared };
    return { room, except: [...except, ...all.slice(0, i)], event, data, meta };
  });
};

/** Publishes in the wire format of the adapter, so that every node, ours or stock, hears it. */
export function publishOverRedis(link: RedisLink): ClusterPublisher {
  return {
    mode: 'redis',
    publish: async (publication) => {
      const accepted: Promise<unknown>[] = [];
      const emitter = new Emitter(
        { publish: (channel: string, message: Buffer) => accepted.push(link.pub.publish(channel, message)) },
        { key: SOCKET_IO_PREFIX },
      ).of(publication.namespace);
      for (const { room, except, event, data, meta } of perRoom(publication)) {
        emitter.to(room).except(except).emit(event, data, meta);
      }
      await Promise.all(accepted).catch((cause: unknown) => {
        throw unavailable(cause);
      });
    },
    nodes: () =>
      listNodes(link.pub).catch((cause: unknown) => {
        throw unavailable(cause);
      }),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Publishes as one more worker of a machine without Redis: a Server that has no sockets. */
export function publishAsWorker(namespaces: readonly string[]): ClusterPublisher {
  const io = new Server({ adapter: createWorkerAdapter() });
  for (const namespace of namespaces) io.of(namespace);
  return {
    mode: 'single',
    publish: async (publication) => {
      for (const { room, except, event, data, meta } of perRoom(publication)) {
        io.of(publication.namespace).to(room).except(except).emit(event, data, meta);
      }
    },
    nodes: async () => {
      const answers = await io.serverSideEmitWithAck(REPORT_REQUEST).catch((cause: unknown) => {
        throw unavailable(cause);
      });
      return z.array(nodeReport).parse(answers);
    },
    // `io.close()` needs an HTTP server (socket.io 4.8.4), which there is none of.
    [Symbol.asyncDispose]: async () => {
      for (const namespace of namespaces) await io.of(namespace).adapter.close();
    },
  };
}
