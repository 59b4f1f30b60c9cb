import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Direction, FaultyPipe, type PipeFaults } from './faulty-pipe.ts';

/** Tells connections apart by their first bytes from the client (at most 1 KB, as latin1), and by their number. */
type Only = (opening: string, id: number) => boolean;

/** What is wrong with a link, until something else is set. Nothing by default. */
export interface LinkFaults {
  toServer?: PipeFaults;
  toClient?: PipeFaults;
  /** New connections are reset at once. */
  refuse?: boolean;
  /** Only connections that this is true for; default all. */
  only?: Only;
}

export type ByteCounts = Record<Direction, number>;

const OPENING_BYTES = 1024;

/** Both ways silent, connections stay: what a dead peer, a firewall or a pulled cable look like. */
export const HALF_OPEN: LinkFaults = { toServer: { stalled: true }, toClient: { stalled: true } };
/** Requests arrive and are carried out, and nobody hears of it. */
export const DROPPED_REPLIES: LinkFaults = { toClient: { swallowed: true } };

/** A TCP proxy in front of a server on this machine, whose link can be made faulty while it runs. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #to: { host: string; port: number };
  readonly #connections = new Set<ProxiedConnection>();
  readonly #bytes: ByteCounts = { toServer: 0, toClient: 0 };
  #faults: LinkFaults = {};
  #nextId = 0;

  /** Listens on a free port of 127.0.0.1. The server need not run yet. */
  static async start(options: { to: { host?: string; port: number } }): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new FaultProxy(server, { host: options.to.host ?? '127.0.0.1', port: options.to.port });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  private constructor(server: Server, to: { host: string; port: number }) {
    this.#server = server;
    this.#to = to;
    server.on('connection', (client) => this.#accept(client));
  }

  get port(): number {
    // `address()` is a string for a pipe only.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that came in, in each direction, since the start, whatever became of them. */
  get bytes(): ByteCounts {
    return { ...this.#bytes };
  }

  /** Open connections in the order in which they came: their first bytes and what came in on each. */
  get connections(): readonly { id: number; opening: string; bytes: ByteCounts }[] {
    return [...this.#connections].map(({ id, opening, bytes }) => ({ id, opening, bytes: { ...bytes } }));
  }

  /** Replaces the faults, for open connections and for new ones. */
  set(faults: LinkFaults): void {
    this.#faults = faults;
    for (const connection of this.#connections) connection.update();
  }

  /** Ends every fault; what was held back goes on. */
  heal(): void {
    this.set({});
  }

  /** Resets open connections on both sides; returns how many. */
  cut(only: Only = () => true): number {
    const cut = [...this.#connections].filter(({ opening, id }) => only(opening, id));
    for (const connection of cut) connection.reset();
    return cut.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#faults = { refuse: true };
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#faults.refuse) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const id = this.#nextId++;
    const connection = new ProxiedConnection(
      client,
      connect({ ...this.#to, allowHalfOpen: true, noDelay: true }),
      {
        id,
        faultsOf: ({ opening }) => (this.#faults.only?.(opening, id) === false ? {} : this.#faults),
        count: (direction, bytes) => {
          this.#bytes[direction] += bytes;
        },
        onClose: () => this.#connections.delete(connection),
      },
    );
    this.#connections.add(connection);
  }
}

/** A client's socket and the one to the server that answers it. */
class ProxiedConnection {
  readonly id: number;
  opening = '';
  readonly bytes: ByteCounts = { toServer: 0, toClient: 0 };
  readonly #sockets: readonly [client: Socket, server: Socket];
  readonly #pipes: readonly FaultyPipe[];
  #closed = false;
  readonly #onClose: () => void;

  constructor(
    client: Socket,
    server: Socket,
    link: {
      id: number;
      faultsOf: (connection: ProxiedConnection) => LinkFaults;
      count: (direction: Direction, bytes: number) => void;
      onClose: () => void;
    },
  ) {
    this.#sockets = [client, server];
    this.id = link.id;
    this.#onClose = link.onClose;
    const pipe = (direction: Direction, from: Socket, to: Socket) =>
      new FaultyPipe({
        from,
        to,
        faults: () => link.faultsOf(this)[direction] ?? {},
        onData: (chunk) => {
          this.bytes[direction] += chunk.length;
          link.count(direction, chunk.length);
          const room = OPENING_BYTES - this.opening.length;
          if (direction === 'toServer' && room > 0) this.opening += chunk.toString('latin1', 0, room);
        },
      });
    this.#pipes = [pipe('toServer', client, server), pipe('toClient', server, client)];
    for (const socket of this.#sockets) {
      socket.on('error', () => this.reset());
      socket.on('close', () => {
        if (this.#sockets.every(({ destroyed }) => destroyed)) this.#end();
      });
    }
  }

  update(): void {
    for (const pipe of this.#pipes) pipe.update();
  }

  reset(): void {
    for (const socket of this.#sockets) {
      // A reset while a FIN waits to be sent fails and leaves the handle open for ever (Node 24).
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const pipe of this.#pipes) pipe.close();
    this.#onClose();
  }
}
