import type { RawClientOptions, WebSocketClient } from './raw-client.ts';
import type { NamedServer, TwinServers } from './twin-servers.ts';

/** A websocket client called `a` at each of two servers. */
export class TwinClients implements Disposable {
  readonly #servers: TwinServers;
  readonly clients: readonly [WebSocketClient, WebSocketClient];

  private constructor(servers: TwinServers, clients: readonly [WebSocketClient, WebSocketClient]) {
    this.#servers = servers;
    this.clients = clients;
  }

  static async connect(servers: TwinServers, options: Partial<RawClientOptions> = {}): Promise<TwinClients> {
    const connect = async (server: NamedServer) => {
      const isOld = options.query === 'EIO=3';
      const hasArrived = server.arrival('a');
      const client = await server.webSocket('a', options);
      if (isOld) await hasArrived;
      await server.join(client, 'a', isOld ? [] : ['40']);
      return client;
    };
    return new TwinClients(servers, [await connect(servers.stock), await connect(servers.decorated)]);
  }

  /** Waits until all has arrived that was sent to either, and returns what each has seen since the last time. */
  async take(): Promise<[stock: string[], decorated: string[]]> {
    for (const server of this.#servers.both) server.get('a').conn.send('end');
    const [stock, decorated] = this.clients;
    await Promise.all([stock.until('end'), decorated.until('end')]);
    return [stock.take(), decorated.take()];
  }

  [Symbol.dispose](): void {
    for (const client of this.clients) client.close();
  }
}
