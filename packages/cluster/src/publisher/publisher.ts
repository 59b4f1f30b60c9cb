import { randomUUID } from 'node:crypto';
import { AppError, type EventMeta, isRoomName, userRoom } from '@fanfare/protocol';
import { Server } from 'socket.io';
import { z } from 'zod';
import { ephemeralFlags } from '../adapter/ephemeral.ts';
import { guardedEncode } from '../adapter/msgpack.ts';
import type { Bus } from '../bus/bus.ts';
import { type GivenOrder, lifeOf, type Order } from '../control/order.ts';
import { Orders } from '../control/orders.ts';
import type { AppendResult, Sequence } from '../event-log/appending.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { toldRoom } from '../inbox.ts';
import { keys } from '../keys.ts';
import { type ClusterReport, listNodes, processReport, summarize } from '../nodes/registry.ts';
import { readPresence } from '../presence/redis-store.ts';
import type { Place, PresencePage } from '../presence/store.ts';
import type { RedisLink } from '../redis/link.ts';
import { createWorkerAdapter } from '../workers/worker-adapter.ts';
import { openWorkerPresence, primaryPort } from '../workers/worker-presence.ts';

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
  /** Of a logged event: its place among those of a publisher that numbers them. */
  sequence?: Sequence | undefined;
  /** Of an ephemeral one: while it waits for a slow socket, a newer one with the same key takes its place. */
  conflate?: string | undefined;
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
  /** Reads a page of who is in a room; absent where there is neither Redis nor a primary to ask. */
  readonly presence:
    | ((place: Place, page: { after?: string | undefined; limit: number }) => Promise<PresencePage>)
    | undefined;
  /** One result for each room, in the given order; never rejects for a cluster that cannot take it. */
  publish(publication: Publication): Promise<Publishing[]>;
  /** The results of each, in the given order; logged events of one room are appended in that order. */
  publishMany(publications: readonly Publication[]): Promise<Publishing[][]>;
  /** Has an order about a user carried out on every node, and kept; rejects with `unavailable` when it is not. */
  order(order: Order): Promise<GivenOrder>;
  /** What the living processes say of themselves; rejects with `unavailable` when they cannot be asked. */
  nodes(): Promise<ClusterReport>;
}

/** Told to every worker of a machine without Redis: a `GivenOrder`, which each confirms once it is carried out. */
export const ORDER_REQUEST = 'fanfare:order';

/** Asked of every worker of a machine without Redis, answered with its `ProcessReport`. */
export const REPORT_REQUEST = 'fanfare:report';

const unavailable = (cause: unknown) => new AppError('unavailable', undefined, { cause });

/** The sender of what comes from no node, as in `@socket.io/redis-emitter` 5.1.0, whose wire format this is. */
const EMITTER_UID = 'emitter';
const EVENT_PACKET = 2;

const AT_NO_POSITION = { epoch: '', offset: null, duplicate: false } as const;

/** Users are excepted by the room that their sockets share; a user may be called as a room is. */
const toRooms = (userOrRoom: string): string[] =>
  isRoomName(userOrRoom) ? [userOrRoom, userRoom(userOrRoom)] : [userRoom(userOrRoom)];

/**
 * One message per room, each without the members of the rooms before it: a socket in several of the rooms hears the
 * event once, with the name of a room it is in.
 */
const perRoom = ({ rooms, except, id, event, data, ephemeral, conflate }: Publication) => {
  const shared = { id: id ?? randomUUID(), at: Date.now() };
  return rooms.map((room, i) => {
    const meta: EventMeta = { room: toldRoom(room), ...shared };
    return {
      room,
      packet: { type: EVENT_PACKET, data: [event, data, meta] },
      target: {
        rooms: [room],
        except: [...except.flatMap(toRooms), ...rooms.slice(0, i)],
        flags: ephemeral ? ephemeralFlags(conflate) : {},
      },
    };
  });
};

/** One for each room, all under one id. */
const appendsOf = ({ rooms, namespace, event, data, except, publisher, sequence, ...given }: Publication) => {
  const id = given.id ?? randomUUID();
  const remember = given.id !== undefined;
  return rooms.map((room) => ({
    event: { namespace, room, event, data, id, rooms, except },
    publisher,
    remember,
    sequence,
  }));
};

const toPublishing = (room: string, result: AppendResult): Publishing =>
  result instanceof AppError
    ? { room: toldRoom(room), error: result }
    : { room: toldRoom(room), epoch: result.epoch, offset: result.offset, duplicate: result.duplicate };

/** Publishes over Redis: into the rooms' logs, or in the wire format of the adapter for what is ephemeral. */
export function publishOverRedis(deps: {
  link: RedisLink;
  bus: Pick<Bus, 'send'>;
  log: EventLog;
  /** Default: one for tokens of any length. */
  orders?: Orders;
}): ClusterPublisher {
  const { link, bus, log, orders = new Orders(link) } = deps;
  const tell = (publication: Publication): Promise<Publishing[]> => {
    const nsp = publication.namespace;
    const accepted = perRoom(publication).map(({ room, packet, target }) =>
      bus.send(keys.roomChannel(nsp, room), guardedEncode([EMITTER_UID, { ...packet, nsp }, target])),
    );
    return Promise.all(
      publication.rooms.map((room, i) =>
        (accepted[i] ?? Promise.resolve()).then(
          () => ({ room: toldRoom(room), ...AT_NO_POSITION }),
          (cause: unknown) => ({ room: toldRoom(room), error: unavailable(cause) }),
        ),
      ),
    );
  };
  const appendMany = async (publications: readonly Publication[]): Promise<Publishing[][]> => {
    const results = (await log.appendMany(publications.flatMap(appendsOf))).values();
    return publications.map(({ rooms }) =>
      rooms.map((room) => toPublishing(room, results.next().value ?? new AppError('internal'))),
    );
  };
  /** Most publishes are for one room. */
  const append = async (publication: Publication): Promise<Publishing[]> => {
    const [first, ...others] = appendsOf(publication);
    if (first === undefined || others.length > 0) return (await appendMany([publication]))[0] ?? [];
    const result = await log.append(first.event, first).catch(AppError.from);
    return [toPublishing(first.event.room, result)];
  };
  const publishMany = async (publications: readonly Publication[]): Promise<Publishing[][]> => {
    const appending = appendMany(publications.filter(({ ephemeral }) => !ephemeral));
    const telling = Promise.all(publications.filter(({ ephemeral }) => ephemeral).map(tell));
    const [appended, told] = [(await appending).values(), (await telling).values()];
    return publications.map(({ ephemeral }) => (ephemeral ? told : appended).next().value ?? []);
  };
  return {
    mode: 'redis',
    log,
    presence: (place, page) => readPresence(link.pub, place, page),
    publish: (publication) => (publication.ephemeral ? tell(publication) : append(publication)),
    publishMany,
    order: (order) => orders.give(order),
    nodes: () =>
      listNodes(link.pub).then(summarize, (cause: unknown) => {
        throw unavailable(cause);
      }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Publishes as one more worker of a machine without Redis: a Server that has no sockets. Everything is ephemeral. */
export function publishAsWorker(namespaces: readonly string[], longestTokenMs: number): ClusterPublisher {
  const io = new Server({ adapter: createWorkerAdapter() });
  const primary = primaryPort();
  const presence = primary && openWorkerPresence(primary, { graceMs: 0 });
  for (const namespace of namespaces) io.of(namespace);
  const publish = async (publication: Publication): Promise<Publishing[]> =>
    perRoom(publication).map(({ room, packet, target }) => {
      const { rooms, except, flags } = target;
      const opts = { rooms: new Set(rooms), except: new Set(except), flags };
      io.of(publication.namespace).adapter.broadcast(packet, opts);
      return { room: toldRoom(room), ...AT_NO_POSITION };
    });
  let lastNumber = 0;
  const order = async (given: Order): Promise<GivenOrder> => {
    const now = Date.now();
    lastNumber = Math.max(now * 1000, lastNumber + 1);
    const message: GivenOrder = {
      number: lastNumber,
      until: now + lifeOf(given, longestTokenMs),
      order: given,
    };
    await io.serverSideEmitWithAck(ORDER_REQUEST, message).catch((cause: unknown) => {
      throw unavailable(cause);
    });
    return message;
  };
  return {
    mode: 'single',
    log: undefined,
    presence: presence?.read,
    publish,
    publishMany: (publications) => Promise.all(publications.map(publish)),
    order,
    nodes: async () => {
      const answers = await io.serverSideEmitWithAck(REPORT_REQUEST).catch((cause: unknown) => {
        throw unavailable(cause);
      });
      return summarize(z.array(processReport).parse(answers));
    },
    // `io.close()` needs an HTTP server (socket.io 4.8.4), which there is none of.
    [Symbol.asyncDispose]: async () => {
      for (const namespace of namespaces) await io.of(namespace).adapter.close();
      await presence?.[Symbol.asyncDispose]();
    },
  };
}
