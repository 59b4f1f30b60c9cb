import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setImmediate as nextIteration } from 'node:timers/promises';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { describe, expect, it, vi } from 'vitest';
import { DirectWriter, tcpHandleOf } from './connection/direct-writer.ts';
import { fanout } from './fanout.ts';
import { walksLike } from './membership/membership.ts';
import {
  type Client,
  isAdapterSeam,
  isClient,
  isStockVisit,
  isTcpHandle,
  isWebSocket,
  isWebSocketTransport,
  type Stream,
} from './seams.ts';
import { NamedServer } from './test/twin-servers.ts';

/** The version that socket.io itself gets: its dependencies are not this package's. */
function versionOf(name: string): string {
  const require = createRequire(createRequire(import.meta.url).resolve('socket.io'));
  let folder = dirname(require.resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const manifest: { version: string } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return manifest.version;
}

async function connectOne(adapter = Adapter) {
  const server = await NamedServer.start({ adapter, connectionStateRecovery: {} });
  const client = await server.webSocket('a');
  await server.join(client, 'a', ['40']);
  const socket = server.get('a');
  return {
    io: server.io,
    client,
    socket,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

function streamOf(transport: object): Stream {
  if (!isWebSocketTransport(transport) || !isWebSocket(transport.socket)) throw new Error('not a websocket');
  return transport.socket._socket;
}

// When one of these fails, a dependency has changed under the fast path: read its source, then the comments of
// seams.ts, before the version is written down anew.
describe('what fanout takes for granted', () => {
  it.each([
    ['socket.io', '4.8.4'],
    ['socket.io-adapter', '2.5.8'],
    ['engine.io', '6.6.11'],
    ['ws', '8.23.0'],
  ])('was read in %s %s', (name, version) => {
    expect(versionOf(name)).toBe(version);
  });

  it.each([
    ['Adapter', Adapter],
    ['SessionAwareAdapter', SessionAwareAdapter],
  ])('is there on %s', async (_name, Class) => {
    await using one = await connectOne(Class);
    const adapter: unknown = one.io.of('/').adapter;
    if (!isAdapterSeam(adapter)) throw new Error('not decorated');
    expect(walksLike(adapter)).toBe(true);
    const sources: string[] = [];
    const { apply } = adapter;
    adapter.apply = (filter, visit) => {
      sources.push(String(visit));
      apply.call(adapter, filter, visit);
    };
    one.io.emit('x');
    one.io.timeout(10).emit('ask', () => {});
    expect(sources.map(isStockVisit)).toEqual([true, false]);
  });

  it('is there on a client, its transport, its websocket and its TCP handle', async () => {
    await using one = await connectOne();
    const { transport } = one.socket.conn;
    expect(isClient(one.socket.client)).toBe(true);
    if (!isWebSocketTransport(transport)) throw new Error('no websocket transport');
    const stream = streamOf(transport);
    expect(isTcpHandle(stream._handle)).toBe(true);
    const writer = new DirectWriter();
    const handle = tcpHandleOf(stream);
    if (handle === null) throw new Error('no handle');
    const frame = Buffer.from([0x81, 0x02, 0x34, 0x78]);
    expect(writer.write(handle, frame)).toBe('failed');
    writer.learnFrom(handle, () => stream.write(frame));
    expect(Object.hasOwn(handle, 'writeBuffer')).toBe(false);
    expect(writer.write(handle, frame)).toBe('written');
  });

  it('holds for the time at which a transport is writable again', async () => {
    await using one = await connectOne();
    const { transport } = one.socket.conn;
    const seen: boolean[] = [];
    const look = () => seen.push(transport.writable);
    one.io.emit('x');
    look();
    process.nextTick(look);
    one.io.emit('y');
    process.nextTick(() => {
      look();
      process.nextTick(look);
    });
    await nextIteration();
    look();
    // The second packet is written in the callback of the first, and hears of its own write one tick later.
    expect(seen).toEqual([false, false, false, true, true]);
  });
});

function seamOf(client: object): Client {
  if (!isClient(client)) throw new Error('not a client');
  return client;
}

describe('the fast path', () => {
  it('is taken past the visits of the adapter, with one direct write for each connection', async () => {
    const factory = fanout(Adapter);
    await using server = await NamedServer.start({ adapter: factory });
    const names = ['a', 'b', 'c'];
    const clients = [];
    for (const name of names) {
      const client = await server.webSocket(name);
      await server.join(client, name, ['40']);
      clients.push(client);
    }
    server.io.emit('x');
    await nextIteration();
    const stubs = names.flatMap((name) => {
      const { client, conn } = server.get(name);
      return [vi.spyOn(streamOf(conn.transport), 'write'), vi.spyOn(seamOf(client), 'writeToEngine')];
    });
    for (let index = 0; index < 10; index++) server.io.emit('x', index);
    await nextIteration();
    for (const stub of stubs) expect(stub).not.toHaveBeenCalled();
    expect(factory.counters()).toMatchObject({
      fastDeliveries: 33,
      stockDeliveries: 0,
      flushes: 2,
      writes: 6,
    });
    for (const client of clients) client.close();
  });
});
