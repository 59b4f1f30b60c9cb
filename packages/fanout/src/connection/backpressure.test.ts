import { once } from 'node:events';
import type { Socket as TcpSocket } from 'node:net';
import { setImmediate as nextIteration } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import { describe, expect, it } from 'vitest';
import type { WebSocketClient } from '../test/raw-client.ts';
import { TwinClients } from '../test/twin-clients.ts';
import { TwinServers } from '../test/twin-servers.ts';
import { pendingBytes } from './pending-bytes.ts';

const LARGE = 'x'.repeat(65_536);

/** Broadcasts until the sockets of both servers take no more, though nothing reads at the other end. */
async function fill(servers: TwinServers, clients: readonly WebSocketClient[]): Promise<void> {
  for (const client of clients) client.pause();
  const isWritable = () => servers.both.some((server) => server.get('a').conn.transport.writable);
  while (isWritable()) {
    for (const { io } of servers.both) io.emit('fill', LARGE);
    await nextIteration();
  }
}

function streamOf(socket: Socket): TcpSocket {
  return Reflect.get(Reflect.get(socket.conn.transport, 'socket'), '_socket');
}

async function expectSameFrames(clients: TwinClients): Promise<void> {
  const [stock, decorated] = await clients.take();
  expect(decorated).toEqual(stock);
}

describe('a connection that does not drain', () => {
  it('is sent everything in order when it does, and drops what is volatile, as in stock', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const { clients } = twins;
    await fill(servers, clients);
    for (const server of servers.both) {
      server.io.emit('after', 1);
      server.io.volatile.emit('dropped');
      server.get('a').emit('after', 2);
      server.io.emit('after', 3);
    }
    for (const client of clients) client.resume();
    await expectSameFrames(twins);
    expect(pendingBytes(servers.decorated.get('a'))).toBe(0);
  });

  it('shows how many bytes wait for it, on either path', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const { clients } = twins;
    await fill(servers, clients);
    const sockets = servers.both.map((server) => server.get('a'));
    const before = sockets.map(pendingBytes);
    for (const { io } of servers.both) io.emit('more', 'ü'.repeat(500));
    const grown = sockets.map((socket, index) => pendingBytes(socket) - (before[index] ?? 0));
    expect(before[1]).toBeGreaterThan(0);
    expect(grown).toEqual([1 + Buffer.byteLength(`2["more","${'ü'.repeat(500)}"]`), grown[0]]);
  });

  it('ends as in stock when its client goes away', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const { clients } = twins;
    await fill(servers, clients);
    const isGone = Promise.all(servers.both.map((server) => once(server.get('a'), 'disconnect')));
    for (const client of clients) client.close();
    const reasons = (await isGone).map(([reason]) => reason);
    expect(['transport close', 'transport error']).toContain(reasons[1]);
    expect(pendingBytes(servers.decorated.get('a'))).toBe(0);
  });
});

describe('what is pending within an iteration', () => {
  it('is counted in bytes and gone at its end', async () => {
    await using servers = await TwinServers.start();
    using _twins = await TwinClients.connect(servers);
    const { io, get } = servers.decorated;
    const socket = get.call(servers.decorated, 'a');
    io.emit('x');
    io.emit('x');
    expect(pendingBytes(socket)).toBe(2 * '..42["x"]'.length);
    expect(servers.factory.counters()).toMatchObject({ fastDeliveries: 2, flushes: 0, writes: 0 });
    await nextIteration();
    expect(pendingBytes(socket)).toBe(0);
    expect(servers.factory.counters()).toMatchObject({ fastDeliveries: 2, flushes: 1, writes: 1 });
  });

  it('is bounded, and beyond the bound the stock path is taken', async () => {
    await using servers = await TwinServers.start({}, { maxPendingBytes: 10_000 });
    using twins = await TwinClients.connect(servers);
    for (const { io } of servers.both) {
      for (let index = 0; index < 100; index++) io.emit('x', index, 'y'.repeat(1_000));
    }
    expect(servers.factory.counters()).toMatchObject({ fastDeliveries: 9, stockDeliveries: 91 });
    expect(pendingBytes(servers.decorated.get('a'))).toBeGreaterThan(100_000);
    await expectSameFrames(twins);
  });

  it('is counted in bytesWritten as in stock', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const streams = servers.both.map((server) => streamOf(server.get('a')));
    const before = streams.map((stream) => stream.bytesWritten);
    for (const server of servers.both) {
      for (let index = 0; index < 20; index++) server.io.emit('x', index, 'y'.repeat(index * 100));
      server.get('a').emit('z');
    }
    await expectSameFrames(twins);
    const written = streams.map((stream, index) => stream.bytesWritten - (before[index] ?? 0));
    expect(written[1]).toBe(written[0]);
  });

  it('ends the connection as in stock when the peer has reset it unnoticed', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const { clients } = twins;
    for (const { io } of servers.both) io.emit('x');
    await expectSameFrames(twins);
    const streams = servers.both.map((server) => streamOf(server.get('a')));
    for (const stream of streams) stream.pause();
    const isGone = Promise.all(servers.both.map((server) => once(server.get('a'), 'disconnect')));
    for (const client of clients) client.abort();
    while (streams.some((stream) => !stream.destroyed)) {
      for (const { io } of servers.both) io.emit('into the void');
      await nextIteration();
    }
    const [stock, decorated] = await isGone;
    expect(decorated?.[0]).toBe(stock?.[0]);
  });
});
