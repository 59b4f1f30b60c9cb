import { setImmediate as nextIteration } from 'node:timers/promises';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { describe, expect, it } from 'vitest';
import { fanout } from '../fanout.ts';
import { TwinClients } from '../test/twin-clients.ts';
import { NamedServer, TwinServers } from '../test/twin-servers.ts';

async function expectSameFrames(clients: TwinClients): Promise<void> {
  const [stock, decorated] = await clients.take();
  expect(decorated).toEqual(stock);
}

describe('a connection with a form of its own for binary packets', () => {
  it.each(['EIO=3', 'EIO=4&b64=1'])('(%s) is sent them in that form', async (query) => {
    await using servers = await TwinServers.start({ allowEIO3: true });
    using twins = await TwinClients.connect(servers, { query });
    for (const { io } of servers.both) {
      io.emit('text', 'ü');
      io.emit('binary', Buffer.from('bytes'));
      io.emit('text', 'again');
    }
    await expectSameFrames(twins);
  });
});

describe('an application that listens to what Engine.IO does', () => {
  it.each(['packetCreate', 'flush', 'drain'])(
    'hears of each %s of a connection, as in stock',
    async (event) => {
      await using servers = await TwinServers.start();
      using twins = await TwinClients.connect(servers);
      const heard = servers.both.map((server) => {
        const calls: unknown[] = [];
        server.io.emit('before');
        server.get('a').conn.on(event, (value: { type?: string; length?: number } = {}) => {
          calls.push(value.type ?? value.length);
        });
        return calls;
      });
      await nextIteration();
      for (const { io } of servers.both) {
        io.emit('x');
        io.emit('y', Buffer.from('bytes'));
      }
      await expectSameFrames(twins);
      expect(heard[1]).toEqual(heard[0]);
      expect(heard[0]?.length).toBeGreaterThan(1);
    },
  );

  it('hears of each flush of the server, as in stock', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const heard = servers.both.map(({ io }) => {
      const lengths: number[] = [];
      io.engine.on('flush', (_socket: unknown, packets: unknown[]) => lengths.push(packets.length));
      io.emit('x');
      io.emit('y');
      return lengths;
    });
    await expectSameFrames(twins);
    expect(heard[1]).toEqual(heard[0]);
    expect(servers.factory.counters().fastDeliveries).toBe(0);
  });

  it('is back on the fast path when it listens no more', async () => {
    await using servers = await TwinServers.start();
    using _twins = await TwinClients.connect(servers);
    const { conn } = servers.decorated.get('a');
    servers.decorated.io.emit('x');
    const listener = () => {};
    conn.once('packetCreate', listener);
    servers.decorated.io.emit('y');
    await nextIteration();
    servers.decorated.io.emit('z');
    expect(servers.factory.counters()).toMatchObject({ fastDeliveries: 2, stockDeliveries: 1 });
  });
});

describe('a connection whose methods somebody has replaced', () => {
  it.each(['sendPacket', 'write'])('has %s called for each packet', async (method) => {
    await using servers = await TwinServers.start();
    const { decorated } = servers;
    const calls: unknown[] = [];
    decorated.io.engine.on('connection', (conn: object) => {
      const stock: unknown = Reflect.get(conn, method);
      Reflect.set(conn, method, function (this: object, ...args: unknown[]) {
        calls.push(args.find((arg) => typeof arg === 'string' && arg.startsWith('2[')));
        return typeof stock === 'function' ? stock.apply(this, args) : undefined;
      });
    });
    using twins = await TwinClients.connect(servers);
    calls.length = 0;
    for (const { io } of servers.both) io.emit('x');
    await expectSameFrames(twins);
    expect(method === 'write' ? calls : calls.filter((call) => call === undefined)).toHaveLength(1);
  });
});

type Visit = (socket: Socket) => void;

/** A subclass may override what its base class calls on itself, whatever the types say. */
function createHalfDeaf(namespace: Namespace): Adapter {
  const adapter = new Adapter(namespace);
  const walk: unknown = Reflect.get(adapter, 'apply');
  if (typeof walk !== 'function') throw new Error('apply is gone');
  const apply = (options: BroadcastOptions, visit: Visit) =>
    walk.call(adapter, options, (socket: Socket) => {
      if (!socket.data.isDeaf) visit(socket);
    });
  return Object.assign(adapter, { apply });
}

function createCounting(namespace: Namespace): Adapter {
  const adapter = Object.assign(new Adapter(namespace), { visits: 0 });
  const broadcast = (packet: object, options: BroadcastOptions) => {
    const encode: unknown = Reflect.get(adapter, '_encode');
    const walk: unknown = Reflect.get(adapter, 'apply');
    if (typeof walk !== 'function' || typeof encode !== 'function') throw new Error('the seam is gone');
    const writeOptions = { preEncoded: true };
    const packets = encode.call(adapter, Object.assign(packet, { nsp: namespace.name }), writeOptions);
    walk.call(adapter, options, ({ client }: { client: { writeToEngine(...args: unknown[]): void } }) => {
      adapter.visits++;
      client.writeToEngine(packets, writeOptions);
    });
  };
  return Object.assign(adapter, { broadcast });
}

describe('an adapter of somebody else', () => {
  it('keeps its own choice of sockets', async () => {
    await using servers = await TwinServers.start({ adapter: createHalfDeaf });
    using twins = await TwinClients.connect(servers);
    for (const { io } of servers.both) io.emit('x', 1);
    for (const server of servers.both) server.get('a').data.isDeaf = true;
    for (const { io } of servers.both) io.emit('x', 2);
    await expectSameFrames(twins);
    expect(servers.factory.counters().fastDeliveries).toBe(1);
  });

  it('keeps what it does at each socket', async () => {
    await using servers = await TwinServers.start({ adapter: createCounting });
    using twins = await TwinClients.connect(servers);
    for (const { io } of servers.both) io.emit('x');
    await expectSameFrames(twins);
    for (const { io } of servers.both) expect(Reflect.get(io.of('/').adapter, 'visits')).toBe(1);
    expect(servers.factory.counters().fastDeliveries).toBe(1);
  });

  it('is left as it is when it has not the methods to decorate', async () => {
    function createBare(namespace: Namespace): Adapter {
      return Object.assign(new Adapter(namespace), { _encode: undefined });
    }
    await using servers = await TwinServers.start({ adapter: createBare });
    const [stock, decorated] = servers.both.map(({ io }) => Object.keys(io.of('/').adapter));
    expect(decorated).toEqual(stock);
  });

  it('may be replaced while sockets are connected', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    for (const { io } of servers.both) io.emit('x', 1);
    const factory = fanout(Adapter);
    servers.decorated.io.adapter(factory);
    servers.stock.io.adapter(Adapter);
    for (const server of servers.both) {
      server.io.of('/').adapter.addAll(server.get('a').id, new Set(['r']));
      server.io.to('r').emit('x', 2);
    }
    await expectSameFrames(twins);
    expect(servers.factory.counters().fastDeliveries + factory.counters().fastDeliveries).toBe(2);
  });
});

it('leaves no prototype of another package changed', async () => {
  const { socket, conn, transport } = await (async () => {
    await using server = await NamedServer.start({ adapter: Adapter });
    const client = await server.webSocket('a');
    await server.join(client, 'a', ['40']);
    client.close();
    return { socket: server.get('a'), conn: server.get('a').conn, transport: server.get('a').conn.transport };
  })();
  const prototypes = [socket, conn, transport, socket.client].map((value) => Object.getPrototypeOf(value));
  const before = prototypes.map((prototype) => Object.getOwnPropertyDescriptors(prototype));
  await using servers = await TwinServers.start();
  using twins = await TwinClients.connect(servers);
  for (const { io } of servers.both) io.emit('x');
  await expectSameFrames(twins);
  expect(prototypes.map((prototype) => Object.getOwnPropertyDescriptors(prototype))).toEqual(before);
});
