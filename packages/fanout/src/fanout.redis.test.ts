import { RedisServer } from '@fanfare/testing';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import { describe, expect, it } from 'vitest';
import { type FanoutFactory, fanout } from './fanout.ts';
import type { WebSocketClient } from './test/raw-client.ts';
import { NamedServer } from './test/twin-servers.ts';

type AdapterFactory = ServerOptions['adapter'];

const ADAPTERS: ReadonlyArray<[string, (publisher: Redis, subscriber: Redis) => AdapterFactory]> = [
  ['redis', (publisher, subscriber) => createAdapter(publisher, subscriber)],
  ['sharded redis', (publisher, subscriber) => createShardedAdapter(publisher, subscriber)],
];

/** A node of a cluster, with a client `a` or `b` that answers what it is asked with its name. */
class ClusterNode implements AsyncDisposable {
  readonly server: NamedServer;
  readonly factory: FanoutFactory;
  readonly packets: string[] = [];
  readonly #redis: readonly Redis[];
  readonly #name: string;
  #client: WebSocketClient | null = null;

  private constructor(parts: {
    server: NamedServer;
    factory: FanoutFactory;
    redis: readonly Redis[];
    name: string;
  }) {
    this.server = parts.server;
    this.factory = parts.factory;
    this.#redis = parts.redis;
    this.#name = parts.name;
  }

  static async start(url: string, name: string, create: (typeof ADAPTERS)[number][1]): Promise<ClusterNode> {
    const redis = [new Redis(url), new Redis(url)] as const;
    const factory = fanout(create(...redis));
    const server = await NamedServer.start({ adapter: factory });
    const node = new ClusterNode({ server, factory, redis, name });
    await node.#connect();
    return node;
  }

  async #connect(): Promise<void> {
    this.#client = await this.server.webSocket(this.#name, {
      onPacket: (packet, client) => {
        const text = String(packet);
        if (text.startsWith('42')) this.packets.push(text);
        const id = /^42(\d+)\["ask"/.exec(text)?.[1];
        if (id !== undefined) client.send(`43${id}["${this.#name}"]`);
      },
    });
    await this.server.join(this.#client, this.#name, ['40']);
    this.server.get(this.#name).join('all');
  }

  /** Resolves when the client has got the packet. */
  async heard(packet: string): Promise<void> {
    await expect.poll(() => this.packets, { timeout: 5_000 }).toContain(packet);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    await this.server[Symbol.asyncDispose]();
    for (const redis of this.#redis) redis.disconnect();
  }
}

describe.each(ADAPTERS)('a decorated %s adapter', (_name, create) => {
  it('delivers to the sockets of both nodes, in order, once each', async () => {
    await using redis = await RedisServer.start();
    await using a = await ClusterNode.start(redis.url, 'a', create);
    await using b = await ClusterNode.start(redis.url, 'b', create);
    await expect.poll(() => a.server.io.of('/').adapter.serverCount(), { timeout: 5_000 }).toBe(2);
    for (let index = 0; index < 50; index++) a.server.io.to('all').emit('n', index);
    a.server.get('a').to('all').emit('others');
    a.server.io.local.emit('local');
    await b.heard('42["others"]');
    await a.heard('42["local"]');
    const numbers = Array.from({ length: 50 }, (_, index) => `42["n",${index}]`);
    // The sharded adapter waits for Redis with all but a local broadcast, which so comes first.
    expect(a.packets.filter((packet) => packet !== '42["local"]')).toEqual(numbers);
    expect(b.packets).toEqual([...numbers, '42["others"]']);
    expect(a.factory.counters().stockDeliveries).toBe(0);
    expect(b.factory.counters()).toMatchObject({ fastDeliveries: 51, stockDeliveries: 0 });
  });

  it('gathers acknowledgements and moves sockets across nodes', async () => {
    await using redis = await RedisServer.start();
    await using a = await ClusterNode.start(redis.url, 'a', create);
    await using b = await ClusterNode.start(redis.url, 'b', create);
    await expect.poll(() => a.server.io.of('/').adapter.serverCount(), { timeout: 5_000 }).toBe(2);
    const answers = await a.server.io.to('all').timeout(5_000).emitWithAck('ask');
    expect([...answers].sort()).toEqual(['a', 'b']);
    a.server.io.in(b.server.get('b').id).socketsJoin('some');
    await expect.poll(() => b.server.get('b').rooms.has('some'), { timeout: 5_000 }).toBe(true);
    a.server.io.to('some').emit('some');
    await b.heard('42["some"]');
    expect((await a.server.io.in('all').fetchSockets()).length).toBe(2);
    expect(a.packets.filter((packet) => packet.includes('some'))).toEqual([]);
  });
});
