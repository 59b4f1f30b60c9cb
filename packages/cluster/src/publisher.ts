import { randomUUID } from 'node:crypto';
import {
  AppError,
  type EventMeta,
  isRoomName,
  type NodeReport,
  nodeReport,
  userRoom,
} from '@fanfare/protocol';
import { createAdapter as createWorkerAdapter } from '@socket.io/cluster-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { Server } from 'socket.io';
import { z } from 'zod';
import type { EventLog, Position } from './event-log/event-log.ts';
import { SOCKET_IO_PREFIX } from './keys.ts';
import { listNodes } from './nodes/registry.ts';
import type { RedisLink } from './redis.ts';

/** An event for the members of one or several rooms, on whichever nodes they are. */
export interface Publication {
  namespace: string;
  rooms: readonly string[];
  /** Who does not hear it: of a logged event users, of an ephemeral one users or rooms. */
  except: readonly string[];
  event: string;
  data: unknown;
  /** Idempotency key, remembered per publisher and room. */
  id?: string | undefined;
  /** Whose id it is. */
  publisher: string;
  /** Not logged, may be lost. */
  ephemeral: boolean;
}

/** What became of a publication in one room; an ephemeral event has no offset. */
export type Publishing =
  | { room: string; epoch: string; offset: number | null; duplicate: boolean }
  | { room: string; error: AppError };

/** The cluster as a process without sockets sees it. */
export interface ClusterPublisher extends AsyncDisposable {
  readonly mode: 'redis' | 'single';
  /** The rooms' pasts; absent where there is no Redis. */
  readonly log: EventLog | undefined;
  /** One result for each room, in the given order; never rejects for a cluster that cannot take it. */
  publish(publication: Publication): Promise<Publishing[]>;
  /** What the living processes say of themselves; rejects with `unavailable` when they cannot be asked. */
  nodes(): Promise<NodeReport[]>;
}

/** Asked of every worker of a machine without Redis, answered with its `NodeReport`. */
export const REPORT_REQUEST = 'fanfare:report';

const unavailable = (cause: unknown) => new AppError('unavailable', undefined, { cause });

const AT_NO_POSITION = { epoch: '', offset: null, duplicate: false } as const;

/** Users are excepted by the room that their sockets share. */
const toRoom = (userOrRoom: string): string => (isRoomName(userOrRoom) ? userOrRoom : userRoom(userOrRoom));

/**
 * One message per room, each without the members of the rooms before it: a socket in several of the rooms hears the
 * event once, with the name of a room it is in.
 */
const perRoom = ({ rooms, except, id, event, data }: Publication) => {
  const shared = { id: id ?? randomUUID(), at: Date.now() };
  return rooms.map((room, i) => {
    const meta: EventMeta = { room, ...shared };
    return { room, except: [...except.map(toRoom), ...rooms.slice(0, i)], event, data, meta };
  });
};

const settle = (room: string, position: Promise<Position & { duplicate: boolean }>): Promise<Publishing> =>
  position.then(
    (at) => ({ room, ...at }),
    (error: unknown) => ({ room, error: AppError.from(error) }),
  );

/** Publishes over Redis: into the rooms' logs, or in the wire format of the adapter for what is ephemeral. */
export function publishOverRedis(link: RedisLink, log: EventLog): ClusterPublisher {
  const tell = (publication: Publication): Promise<Publishing[]> => {
    const accepted: Promise<unknown>[] = [];
    const client = {
      publish: (channel: string, message: Buffer) => accepted.push(link.publish(channel, message)),
    };
    const emitter = new Emitter(client, { key: SOCKET_IO_PREFIX }).of(publication.namespace);
    for (const { room, except, event, data, meta } of perRoom(publication)) {
      emitter.to(room).except(except).emit(event, data, meta);
    }
    return Promise.all(
      publication.rooms.map((room, i) =>
        (accepted[i] ?? Promise.resolve()).then(
          () => ({ room, ...AT_NO_POSITION }),
          (cause: unknown) => ({ room, error: unavailable(cause) }),
        ),
      ),
    );
  };
  const append = ({ rooms, namespace, event, data, except, publisher, ...given }: Publication) => {
    const id = given.id ?? randomUUID();
    return Promise.all(
      rooms.map((room) =>
        settle(
          room,
          log.append(
            { namespace, room, event, data, id, rooms, except },
            { publisher, remember: given.id !== undefined },
          ),
        ),
      ),
    );
  };
  return {
    mode: 'redis',
    log,
    publish: (publication) => (publication.ephemeral ? tell(publication) : append(publication)),
    nodes: () =>
      listNodes(link.pub).catch((cause: unknown) => {
        throw unavailable(cause);
      }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Publishes as one more worker of a machine without Redis: a Server that has no sockets. Everything is ephemeral. */
export function publishAsWorker(namespaces: readonly string[]): ClusterPublisher {
  const io = new Server({ adapter: createWorkerAdapter() });
  for (const namespace of namespaces) io.of(namespace);
  return {
    mode: 'single',
    log: undefined,
    publish: async (publication) =>
      perRoom(publication).map(({ room, except, event, data, meta }) => {
        io.of(publication.namespace).to(room).except(except).emit(event, data, meta);
        return { room, ...AT_NO_POSITION };
      }),
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
