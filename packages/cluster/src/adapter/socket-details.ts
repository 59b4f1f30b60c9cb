import { z } from 'zod';

/** What a server-side socket has that other nodes are told of. */
const localSockets = z.array(
  z.object({
    id: z.string(),
    handshake: z.looseObject({}),
    rooms: z.set(z.string()),
    data: z.unknown(),
  }),
);

/** A socket as other nodes are told of it. */
interface SocketDetails {
  id: string;
  handshake: object;
  rooms: string[];
  data: unknown;
}

export const idsOf = (sockets: readonly unknown[]): string[] =>
  localSockets.parse(sockets).map(({ id }) => id);

export const detailsOf = (sockets: readonly unknown[]): SocketDetails[] =>
  // A session store refers to itself.
  localSockets.parse(sockets).map(({ id, data, rooms, handshake: { sessionStore: _, ...handshake } }) => ({
    id,
    handshake,
    rooms: [...rooms],
    data,
  }));

/** A team may keep anything with a socket, such as a running timer: what JSON cannot hold is left out. */
export const withoutUnwritable = (socket: SocketDetails): SocketDetails => ({
  ...socket,
  handshake: writablePart(socket.handshake),
  data: writablePart(socket.data),
});

const writablePart = (value: unknown): object =>
  Object.fromEntries(Object.entries(value ?? {}).filter(([, one]) => isWritable(one)));

const isWritable = (value: unknown): boolean => {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
};
