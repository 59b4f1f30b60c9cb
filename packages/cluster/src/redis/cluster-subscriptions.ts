import { type Cluster, Command, type Redis } from 'ioredis';

/** The sharded subscriptions of ioredis 6.0.0: a connection for each master, and the channels it is to have. */
interface ShardGroup {
  shardedSubscribers: ReadonlyMap<string, { getInstance(): Redis | null }>;
  /** The master of each slot. */
  clusterSlots: readonly (readonly string[])[];
  subscriberToSlotsIndex: ReadonlyMap<string, readonly number[]>;
  channels: Map<number, readonly string[]>;
  removeChannels(channels: readonly string[]): number;
}

/** A connection on which messages come in, and which can go deaf by itself. */
export interface Route {
  /** A channel that is heard on it. */
  channel: string;
  publish(message: string): Promise<unknown>;
  /** Makes the connection anew; that of the publishes too, if Redis does not take them. */
  reconnect(isTaken: boolean): void;
}

const SLOTS = 16_384;
const NO_MASTER = '';
/** Channels that are tried until each master has one, per master: one that has few slots may get none. */
const TRIES = 30;

/** How the subscriptions stand to what is wanted. */
export interface Comparison {
  /** Confirmed on a connection that lives. */
  standing: readonly string[];
  /** To be subscribed to. */
  missing: readonly string[];
  /** To be unsubscribed from: nobody wants them. */
  stray: readonly string[];
}

/**
 * The subscriptions of a cluster client. ioredis makes those that it has listed again by itself and does not tell which
 * stand, so that is read from private fields of 6.0.0; the tests of the bus on a cluster fail when these move.
 */
export class ClusterSubscriptions {
  readonly #cluster: Cluster;
  readonly #group: ShardGroup;
  readonly #plain: { getInstance(): Redis | null };
  /** Connections that are given their channels once they stand. */
  readonly #awaited = new WeakSet<Redis>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    // Its subscriptions throw on a slot without an owner, and then none of any slot are made.
    cluster.slots = Array.from({ length: SLOTS }, () => [NO_MASTER]);
    this.#group = Reflect.get(cluster, 'shardedSubscribers');
    this.#plain = Reflect.get(cluster, 'subscriber');
    // Its own one sends every channel of every shard again, twenty times a second while one master is dead.
    Reflect.set(this.#group, '_resubscribe', () => this.#resubscribe());
  }

  /** Resolves with those that stand. SSUBSCRIBE takes channels of one slot only, and ioredis may throw instead of rejecting. */
  async subscribe(channels: readonly string[]): Promise<readonly string[]> {
    const [plain, ...sharded] = await Promise.allSettled([
      (async () => this.#cluster.subscribe(...channels))(),
      ...channels.map(async (channel) => this.#cluster.ssubscribe(channel)),
    ]);
    return plain.status === 'rejected' ? [] : channels.filter((_, i) => sharded[i]?.status === 'fulfilled');
  }

  /** Not by way of the cluster, which tries again later: by then somebody may want the channel again. */
  async unsubscribe(channels: readonly string[]): Promise<void> {
    const commands: (Promise<unknown> | undefined)[] = [
      readyOf(this.#plain.getInstance())?.unsubscribe(...channels),
    ];
    for (const channel of channels) {
      this.#group.removeChannels([channel]);
      commands.push(readyOf(this.#shardOf(channel))?.sunsubscribe(channel));
    }
    await Promise.allSettled(commands);
  }

  /** Of these channels those whose messages the connection to their shard does not bring. */
  lost(channels: Iterable<string>): string[] {
    const held = this.#held();
    return [...channels].filter((channel) => !held.has(channel));
  }

  compare(wanted: ReadonlyMap<string, unknown>): Comparison {
    const held = this.#held();
    const plain = confirmed(this.#plain.getInstance(), 'subscribe');
    const known = new Set(plain);
    for (const subscriber of this.#group.shardedSubscribers.values()) {
      for (const channel of confirmed(subscriber.getInstance(), 'ssubscribe')) known.add(channel);
    }
    const listed = new Set<string>();
    for (const [slot, channels] of this.#group.channels) {
      const once = new Set(channels);
      // ioredis lists a channel once more whenever it is subscribed to, and never shortens its lists.
      if (once.size < channels.length) this.#group.channels.set(slot, [...once]);
      for (const channel of once) listed.add(channel);
    }
    // What ioredis has listed it subscribes to itself as soon as it has a connection.
    const isLeftToIt = (channel: string) =>
      listed.has(channel) && !readyOf(held.has(channel) ? this.#plain.getInstance() : this.#shardOf(channel));
    const [standing, missing]: [string[], string[]] = [[], []];
    for (const channel of wanted.keys()) {
      if (held.has(channel) && plain.has(channel)) standing.push(channel);
      else if (!isLeftToIt(channel)) missing.push(channel);
    }
    const stray = [...new Set([...known, ...listed])].filter((channel) => !wanted.has(channel));
    return { standing, missing, stray };
  }

  /** One of each master, on a channel of its shard, and one for what emitters send by PUBLISH. */
  routes(name: string): Route[] {
    const plain: Route = {
      channel: `${name}:plain`,
      publish: (message) => this.#cluster.publish(`${name}:plain`, message),
      reconnect: (isTaken) => {
        // Any server may have had to take it: it is no proof then.
        if (!isTaken) return;
        this.#plain.getInstance()?.stream?.destroy();
        // ioredis tells of it only when the node is gone too.
        this.#cluster.emit('-subscriber');
      },
    };
    const routes = [plain];
    const masters = new Set(this.#group.subscriberToSlotsIndex.keys());
    masters.delete(NO_MASTER);
    const tries = TRIES * masters.size;
    for (let i = 0; i < tries && masters.size > 0; i += 1) {
      const channel = `${name}:${i}`;
      const master = this.#masterOf(channel);
      if (master === undefined || !masters.delete(master)) continue;
      routes.push({
        channel,
        publish: (message) => this.#cluster.spublish(channel, message),
        reconnect: (isTaken) => {
          this.#shardOf(channel)?.stream?.destroy();
          if (!isTaken) this.#commandsTo(master)?.stream?.destroy();
        },
      });
    }
    return routes;
  }

  reconnect(): void {
    const subscribers = [this.#plain, ...this.#group.shardedSubscribers.values()];
    for (const subscriber of subscribers) subscriber.getInstance()?.stream?.destroy();
    for (const node of this.#cluster.nodes()) node.stream?.destroy();
  }

  /** What the connection to each shard has confirmed, as long as the shard is still its own. */
  #held(): Set<string> {
    const held = new Set<string>();
    for (const [node, subscriber] of this.#group.shardedSubscribers) {
      const own = confirmed(subscriber.getInstance(), 'ssubscribe');
      for (const slot of this.#group.subscriberToSlotsIndex.get(node) ?? []) {
        for (const channel of this.#group.channels.get(slot) ?? []) if (own.has(channel)) held.add(channel);
      }
    }
    return held;
  }

  /** Gives each connection the listed channels that it lacks. */
  #resubscribe(): void {
    for (const [node, subscriber] of this.#group.shardedSubscribers) {
      const connection = subscriber.getInstance();
      if (connection === null || connection.status === 'end') continue;
      const send = () => {
        const own = confirmed(connection, 'ssubscribe');
        for (const slot of this.#group.subscriberToSlotsIndex.get(node) ?? []) {
          const missing = this.#group.channels.get(slot)?.filter((channel) => !own.has(channel)) ?? [];
          if (missing.length > 0) connection.ssubscribe(...missing).catch(() => undefined);
        }
      };
      if (connection.status === 'ready') send();
      else if (!this.#awaited.has(connection)) connection.once('ready', send);
      this.#awaited.add(connection);
    }
  }

  #masterOf(channel: string): string | undefined {
    const [master] = this.#group.clusterSlots[new Command('ssubscribe', [channel]).getSlot()] ?? [];
    return master;
  }

  #shardOf(channel: string): Redis | null | undefined {
    return this.#group.shardedSubscribers.get(this.#masterOf(channel) ?? NO_MASTER)?.getInstance();
  }

  #commandsTo(master: string): Redis | undefined {
    return this.#cluster.nodes('master').find(({ options }) => `${options.host}:${options.port}` === master);
  }
}

const readyOf = (connection: Redis | null | undefined): Redis | undefined =>
  connection?.status === 'ready' ? connection : undefined;

const confirmed = (connection: Redis | null | undefined, by: 'subscribe' | 'ssubscribe'): Set<string> => {
  const set = readyOf(connection)?.condition?.subscriber;
  return new Set(set ? set.channels(by) : []);
};
