import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { type FanoutFactory, type FanoutOptions, fanout } from '../fanout.ts';
import { PollingClient, type RawClient, type RawClientOptions, WebSocketClient } from './raw-client.ts';

export const NAMESPACES = ['/', '/b'] as const;
export type NamespaceName = (typeof NAMESPACES)[number];

/** A Socket.IO server whose sockets are known by the name their client gave. */
export class NamedServer implements AsyncDisposable {
  readonly io: Server;
  readonly port: number;
  readonly agent = new Agent({ keepAlive: true });
  readonly #sockets = new Map<string, Socket>();
  readonly #waiting = new Map<string, () => void>();

  private constructor(io: Server, port: number) {
    this.io = io;
    this.port = port;
    for (const namespace of NAMESPACES) {
      io.of(namespace).on('connection', (socket) => {
        const key = `${namespace} ${socket.handshake.query.name}`;
        this.#sockets.set(key, socket);
        this.#waiting.get(key)?.();
        this.#waiting.delete(key);
      });
    }
  }

  static async start(options: Partial<ServerOptions>, tls?: TlsOptions): Promise<NamedServer> {
    const http = tls === undefined ? createServer() : createTlsServer(tls);
    const io = new Server(http, { serveClient: false, pingInterval: 3_600_000, ...options });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new NamedServer(io, (http.address() as AddressInfo).port);
  }

  /** The newest socket of that name; there may be none yet. */
  find(name: string, namespace: NamespaceName = '/'): Socket | undefined {
    return this.#sockets.get(`${namespace} ${name}`);
  }

  get(name: string, namespace: NamespaceName = '/'): Socket {
    const socket = this.find(name, namespace);
    if (socket === undefined) throw new Error(`no socket ${name} in ${namespace}`);
    return socket;
  }

  /** Resolves when the application has got another socket of that name. */
  arrival(name: string, namespace: NamespaceName = '/'): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(`${namespace} ${name}`, resolve));
  }

  /** Sends the connect packets and waits until the application has the sockets. */
  async join(client: RawClient, name: string, connects: ReadonlyArray<string | Uint8Array>): Promise<void> {
    for (const [index, packet] of connects.entries()) {
      const hasArrived = this.arrival(name, NAMESPACES[index]);
      client.send(packet);
      await hasArrived;
    }
    this.get(name).conn.send('joined');
    await client.until('joined');
    client.take();
  }

  webSocket(name: string, options: Partial<RawClientOptions> = {}): Promise<WebSocketClient> {
    return WebSocketClient.connect({ port: this.port, name, ...options });
  }

  polling(name: string, options: Partial<RawClientOptions> = {}): Promise<PollingClient> {
    return PollingClient.connect({ port: this.port, name, agent: this.agent, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.io.close();
    this.agent.destroy();
  }
}

/** The same server twice: as Socket.IO comes, and decorated. */
export class TwinServers implements AsyncDisposable {
  readonly stock: NamedServer;
  readonly decorated: NamedServer;
  readonly factory: FanoutFactory;

  private constructor(stock: NamedServer, decorated: NamedServer, factory: FanoutFactory) {
    this.stock = stock;
    this.decorated = decorated;
    this.factory = factory;
  }

  static async start(
    options: Partial<ServerOptions> = {},
    { tls, ...fanoutOptions }: FanoutOptions & { readonly tls?: TlsOptions } = {},
  ): Promise<TwinServers> {
    const adapter = options.adapter ?? (options.connectionStateRecovery ? SessionAwareAdapter : Adapter);
    const backlog = { maxBytes: Infinity, onExceeded: () => undefined };
    const factory = fanout(adapter, { backlog, ...fanoutOptions });
    const stock = await NamedServer.start({ ...options, adapter }, tls);
    const decorated = await NamedServer.start({ ...options, adapter: factory }, tls);
    return new TwinServers(stock, decorated, factory);
  }

  get both(): readonly [NamedServer, NamedServer] {
    return [this.stock, this.decorated];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.stock[Symbol.asyncDispose](), this.decorated[Symbol.asyncDispose]()]);
  }
}
