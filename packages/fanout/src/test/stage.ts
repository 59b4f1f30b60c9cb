import type { ServerOptions } from 'socket.io';
import type { FanoutOptions } from '../fanout.ts';
import { execute, Log, runTicks } from './execute.ts';
import { type Program, UNTIMED } from './program.ts';
import { PollingClient, type RawClient } from './raw-client.ts';
import { NAMESPACES, type NamedServer, TwinServers } from './twin-servers.ts';

export type ClientKind = 'websocket' | 'deflated' | 'polling' | 'upgrading';

export interface World {
  readonly server: Partial<ServerOptions>;
  readonly fanout?: FanoutOptions;
  readonly clients: Readonly<Record<string, ClientKind>>;
  /** The connect packets of the two namespaces, as the parser writes them. */
  readonly connects: ReadonlyArray<string | Uint8Array>;
  /** Applied to what a client saw before the comparison. */
  readonly normalize?: (seen: string) => string;
}

/** What one client, or the application's listeners at it, saw of a program on each of the two servers. */
export interface Comparison {
  readonly client: string;
  readonly what: string;
  readonly stock: ReadonlyArray<string>;
  readonly decorated: ReadonlyArray<string>;
}

/** Two servers with the same clients, on which programs are played one after another. */
export class Stage implements AsyncDisposable {
  readonly servers: TwinServers;
  readonly #world: World;
  readonly #clients: readonly [Map<string, RawClient>, Map<string, RawClient>] = [new Map(), new Map()];
  #played = 0;

  private constructor(world: World, servers: TwinServers) {
    this.#world = world;
    this.servers = servers;
  }

  static async open(world: World): Promise<Stage> {
    return new Stage(world, await TwinServers.start(world.server, world.fanout));
  }

  get clientNames(): string[] {
    return Object.keys(this.#world.clients);
  }

  async play(program: Program): Promise<Comparison[]> {
    const { both } = this.servers;
    this.#played++;
    const logs: readonly [Log, Log] = [new Log(), new Log()];
    for (const [side, server] of both.entries()) await this.#prepare(server, this.#clientsOf(side), program);
    const upgrades = program.isUpgrading ? this.#startUpgrades() : [];
    // An upgrade takes some round trips: with a longer timer it ends between two ticks.
    const timerMs = program.isUpgrading ? 5 : 1;
    await runTicks(program.ticks, timerMs, (operations) => {
      for (const [side, server] of both.entries()) {
        for (const operation of operations) execute(operation, server, logs[side === 0 ? 0 : 1]);
      }
    });
    await Promise.all(both.map((server, side) => this.#finish(server, this.#clientsOf(side))));
    await Promise.all(upgrades);
    const comparisons = this.#compare(logs);
    for (const log of logs) log.stop();
    this.#reset(program);
    return comparisons;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const clients of this.#clients) for (const client of clients.values()) client.close();
    await this.servers[Symbol.asyncDispose]();
  }

  /** Connects who is missing, and puts everybody into the rooms of the program. */
  async #prepare(
    server: NamedServer,
    clients: Map<string, RawClient>,
    { memberships }: Program,
  ): Promise<void> {
    const missing = this.clientNames.filter((name) => !clients.has(name));
    for (const name of missing) clients.set(name, await this.#connect(server, name));
    for (const [index, name] of this.clientNames.entries()) {
      for (const namespace of NAMESPACES) {
        const socket = server.get(name, namespace);
        for (const room of socket.rooms) if (room !== socket.id) socket.leave(room);
        socket.join([...(memberships[index] ?? [])]);
        socket.data.isTimed = this.#world.clients[name] === 'websocket';
        if (!socket.data.isTimed) socket.join(UNTIMED);
      }
    }
  }

  async #connect(server: NamedServer, name: string): Promise<RawClient> {
    const kind = this.#world.clients[name];
    const isWebSocket = kind === 'websocket' || kind === 'deflated';
    const client = isWebSocket
      ? await server.webSocket(name, { isDeflated: kind === 'deflated' })
      : await server.polling(name);
    await server.join(client, name, this.#world.connects);
    return client;
  }

  #startUpgrades(): Promise<void>[] {
    const upgrades: Promise<void>[] = [];
    for (const clients of this.#clients) {
      for (const [name, client] of clients) {
        if (this.#world.clients[name] !== 'upgrading' || !(client instanceof PollingClient)) continue;
        upgrades.push(client.upgrade());
      }
    }
    return upgrades;
  }

  /** Waits until every client has seen all that was sent, or was closed. */
  async #finish(server: NamedServer, clients: Map<string, RawClient>): Promise<void> {
    const end = `end${this.#played}`;
    const ends = [...clients].map(([name, client]) => {
      server.get(name).conn.send(end);
      return client.until(end);
    });
    await Promise.all(ends);
  }

  #compare([stockLog, decoratedLog]: readonly [Log, Log]): Comparison[] {
    const [stock, decorated] = this.#clients;
    const normalize = this.#world.normalize ?? ((seen) => seen);
    return this.clientNames.flatMap((name) => [
      {
        client: name,
        what: 'frames',
        stock: (stock.get(name)?.take() ?? []).map(normalize),
        decorated: (decorated.get(name)?.take() ?? []).map(normalize),
      },
      {
        client: name,
        what: 'listeners',
        stock: stockLog.entriesOf(name),
        decorated: decoratedLog.entriesOf(name),
      },
    ]);
  }

  /** Drops the clients that the next program could not begin with. */
  #reset({ isUpgrading }: Program): void {
    for (const [side, server] of this.servers.both.entries()) {
      for (const [name, client] of this.#clientsOf(side)) {
        const isDisconnected = NAMESPACES.some((namespace) => !server.get(name, namespace).connected);
        const isUpgraded = isUpgrading && this.#world.clients[name] === 'upgrading';
        if (!client.isClosed && !isDisconnected && !isUpgraded) continue;
        client.close();
        this.#clientsOf(side).delete(name);
      }
    }
  }

  #clientsOf(side: number): Map<string, RawClient> {
    return this.#clients[side === 0 ? 0 : 1];
  }
}
