import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventName, type RoomAction, roomName } from '@fanfare/protocol';
import { StartError } from '@fanfare/runtime';
import { z } from 'zod';
import { authorize } from '../socket/permission.ts';
import type { GatewayServer, GatewaySocket } from '../socket/server.ts';

/** What a team's module gets beside the stock `io`. */
export interface TeamContext {
  /** Throws `forbidden` unless the socket's token allows the action in the room. */
  authorize(socket: GatewaySocket, request: { room: string; action: RoomAction; event?: string }): void;
  /** Tells the members of a room on every node; clients get `(data, meta)`. */
  publish(publication: {
    room: string;
    event: string;
    data: unknown;
    namespace?: string;
    id?: string;
  }): Promise<void>;
}

/** The default export of a `FANFARE_HANDLERS` module. */
export type TeamHandlers = (io: GatewayServer, context: TeamContext) => void | Promise<void>;

const teamModule = z.object({ default: z.custom<TeamHandlers>((value) => typeof value === 'function') });

const publication = z.object({
  room: roomName,
  event: eventName,
  data: z.unknown(),
  namespace: z.string().default('/'),
  id: z.string().optional(),
});

/** Loads a team's handlers and lets them register themselves; a module that cannot be used is a `StartError`. */
export async function installTeamHandlers(path: string, io: GatewayServer): Promise<void> {
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
  keepToDeclaredNamespaces(io);
  await parsed.data.default(io, {
    authorize,
    publish: async (given) => {
      const { room, event, data, namespace, id = randomUUID() } = publication.parse(given);
      io.of(namespace).to(room).emit(event, data, { room, id, at: Date.now() });
    },
  });
}

/** A namespace that is not of the configuration would have neither authentication nor guards, so none can be made. */
const keepToDeclaredNamespaces = (io: GatewayServer): void => {
  const declared = new Set(io._nsps.keys());
  const of = io.of.bind(io);
  io.of = (name, onConnection) => {
    const path = typeof name === 'string' ? `/${name.replace(/^\//, '')}` : String(name);
    if (declared.has(path)) return of(path, onConnection);
    throw new StartError(`FANFARE_HANDLERS: add ${path} to FANFARE_NAMESPACES to use it in io.of()`);
  };
};
