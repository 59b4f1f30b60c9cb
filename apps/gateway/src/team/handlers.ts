import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError, eventId, eventName, sharedRoomName } from '@fanfare/protocol';
import { StartError } from '@fanfare/runtime';
import { z } from 'zod';
import type { RoomRequest } from '../identity/permission.ts';
import type { RoomPosition, Rooms } from '../rooms/rooms.ts';
import type { Authorize } from '../session/authority.ts';
import type { GatewayServer, GatewaySocket } from '../socket/server.ts';

/** What a team's module gets beside the stock `io`. */
export interface TeamContext {
  /** Throws `forbidden` unless the socket's token allows the action in the room. */
  authorize(socket: GatewaySocket, request: RoomRequest): void;
  /**
   * Publishes to a room: logged where there is a log, heard by the members on every node as `(data, meta)`. Rejects with
   * an error whose `code` is `unavailable` when the log cannot take it; the same `id` makes a retry safe.
   */
  publish(publication: {
    room: string;
    event: string;
    data: unknown;
    namespace?: string;
    id?: string;
  }): Promise<RoomPosition>;
}

/** The default export of a `FANFARE_HANDLERS` module. */
export type TeamHandlers = (io: GatewayServer, context: TeamContext) => void | Promise<void>;

const teamModule = z.object({ default: z.custom<TeamHandlers>((value) => typeof value === 'function') });

const publication = z.object({
  room: sharedRoomName,
  event: eventName,
  data: z.unknown(),
  namespace: z.string().default('/'),
  id: eventId.optional(),
});

/** Loads a team's handlers and lets them register themselves; a module that cannot be used is a `StartError`. */
export async function installTeamHandlers(
  path: string,
  io: GatewayServer,
  { rooms, authorize }: { rooms: ReadonlyMap<string, Rooms>; authorize: Authorize },
): Promise<void> {
  const url = pathToFileURL(resolve(path)).href;
  let loaded: unknown;
  try {
    loaded = await import(url);
  } catch (cause) {
    throw new StartError(
      `FANFARE_HANDLERS: ${path} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const parsed = teamModule.safeParse(loaded);
  if (!parsed.success) {
    throw new StartError(
      `FANFARE_HANDLERS: ${path} must export a function by default: (io, { authorize, publish }) => void`,
    );
  }
  keepToDeclaredNamespaces(io, [...rooms.keys()]);
  await parsed.data.default(io, {
    authorize,
    publish: async (given) => {
      const { namespace, ...event } = publication.parse(given);
      const target = rooms.get(namespace);
      if (target === undefined) throw new AppError('not_found', `There is no namespace "${namespace}"`);
      return target.publish({ ...event, publisher: 'team' });
    },
  });
}

/** A namespace that is not of the configuration would have neither authentication nor guards, so none can be made. */
const keepToDeclaredNamespaces = (io: GatewayServer, namespaces: readonly string[]): void => {
  const declared = new Set(namespaces);
  const of = io.of.bind(io);
  io.of = (name, onConnection) => {
    const path = typeof name === 'string' ? `/${name.replace(/^\//, '')}` : String(name);
    // Socket.IO asks for "/" itself, to refuse who wants to come in there.
    if (declared.has(path) || (path === '/' && onConnection === undefined)) return of(path, onConnection);
    throw new StartError(`FANFARE_HANDLERS: add ${path} to FANFARE_NAMESPACES to use it in io.of()`);
  };
};
