import { setImmediate as nextIteration } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import type { BroadcastFlags } from 'socket.io-adapter';
import { describe, expect, it, vi } from 'vitest';
import { pendingBytes } from '../connection/pending-bytes.ts';
import type { RawClient, WebSocketClient } from '../test/raw-client.ts';
import { type NamedServer, TwinServers } from '../test/twin-servers.ts';

const MAX_BYTES = 200_000;
const KILOBYTE = 'x'.repeat(1_000);

interface Flags extends BroadcastFlags {
  readonly droppable?: boolean;
  readonly conflate?: string;
}

/** A server with a bound, and what it has cut. */
async function start() {
  const cuts: object[] = [];
  const backlog = {
    maxBytes: MAX_BYTES,
    onExceeded: (connection: { close(discard: boolean): void }) => {
      cuts.push(connection);
      connection.close(true);
    },
  };
  const servers = await TwinServers.start({}, { backlog });
  const server = servers.decorated;
  const clients: RawClient[] = [];
  return {
    server,
    factory: servers.factory,
    cuts,
    connect: async (name: string) => {
      const client = await server.webSocket(name);
      clients.push(client);
      await server.join(client, name, ['40']);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close();
      await servers[Symbol.asyncDispose]();
    },
  };
}

function emit(server: NamedServer, [event, data]: [string, unknown], flags: Flags = {}): void {
  const { adapter } = server.io.of('/');
  const opts = { rooms: new Set<string>(), except: new Set<string>(), flags };
  adapter.broadcast({ type: 2, nsp: '/', data: [event, data] }, opts);
}

/** Broadcasts until the kernel takes no more of what a client that has stopped reading is sent. */
async function stall(server: NamedServer, client: WebSocketClient, name: string): Promise<Socket> {
  client.pause();
  const socket = server.get(name);
  while (socket.conn.transport.writable) {
    emit(server, ['fill', 'x'.repeat(20_000)], { droppable: true });
    await nextIteration();
  }
  return socket;
}

async function eventsOf(client: RawClient): Promise<unknown[]> {
  await client.until('2["end",null]');
  return client
    .take()
    .map((frame) => frame.slice(frame.indexOf('42[') + 2))
    .filter((text) => text.startsWith('["') && !text.startsWith('["fill"') && !text.startsWith('["end"'))
    .map((text) => JSON.parse(text));
}

/** Twice as much as fits, within one iteration. */
function flood(server: NamedServer, event: string, flags?: Flags): void {
  for (let index = 0; index < 400; index++) emit(server, [event, KILOBYTE], flags);
}

describe('a connection that does not drain', () => {
  it('loses droppable broadcasts at the bound and keeps the others, in order', async () => {
    await using stage = await start();
    const { server, factory, cuts, connect } = stage;
    const client = await connect('a');
    const socket = await stall(server, client, 'a');
    emit(server, ['kept', 1]);
    flood(server, 'lost', { droppable: true });
    emit(server, ['kept', 2]);
    expect(factory.counters().dropped).toBeGreaterThan(200);
    expect(pendingBytes(socket)).toBeLessThan(MAX_BYTES + 2 * KILOBYTE.length);
    expect(cuts).toEqual([]);
    emit(server, ['end', null]);
    client.resume();
    const heard = await eventsOf(client);
    expect(heard.filter((event) => JSON.stringify(event).includes('kept'))).toEqual([
      ['kept', 1],
      ['kept', 2],
    ]);
  });

  it('keeps the attachments of a broadcast whose head has left already', async () => {
    await using stage = await start();
    const { server, factory } = stage;
    const client = await server.polling('a');
    await server.join(client, 'a', ['40']);
    await vi.waitFor(() => expect(server.get('a').conn.transport.writable).toBe(true));
    emit(server, ['cursor', Buffer.from('x')], { droppable: true });
    flood(server, 'lost', { droppable: true });
    expect(factory.counters().dropped).toBeGreaterThan(200);
    emit(server, ['end', null]);
    await client.until('2["end",null]');
    const packets = client.take();
    const head = packets.findIndex((packet) => packet.startsWith('451-["cursor"'));
    expect(packets[head + 1]).toBe(`b${Buffer.from('x').toString('base64')}`);
    client.close();
  });

  it('is handed over to be ended when what may not be lost is above the bound', async () => {
    await using stage = await start();
    const { server, factory, cuts, connect } = stage;
    const client = await connect('a');
    const healthy = await connect('b');
    const socket = await stall(server, client, 'a');
    flood(server, 'kept');
    expect(pendingBytes(socket)).toBeLessThanOrEqual(MAX_BYTES + KILOBYTE.length + 40);
    await nextIteration();
    expect(cuts).toEqual([socket.conn]);
    expect(socket.connected).toBe(false);
    const { peakBytes } = factory.waiting();
    expect(peakBytes).toBeGreaterThan(MAX_BYTES / 2);
    expect(peakBytes).toBeLessThanOrEqual(MAX_BYTES + KILOBYTE.length + 40);
    expect(factory.waiting()).toMatchObject({ bytes: 0, peakBytes: 0 });
    emit(server, ['end', null]);
    const heard = (await eventsOf(healthy)).filter((event) => String(event).startsWith('kept'));
    expect(heard, 'twice the bound within an iteration').toHaveLength(400);
  });

  it('is ended within a second when it takes nothing, though all that it was sent may be lost', async () => {
    await using stage = await start();
    const { server, cuts, connect } = stage;
    const client = await connect('a');
    const socket = await stall(server, client, 'a');
    flood(server, 'lost', { droppable: true });
    await vi.waitFor(() => expect(cuts).toEqual([socket.conn]), { timeout: 1_000 });
  });

  it('is held to the bound for what is written to it directly', async () => {
    await using stage = await start();
    const { server, factory, cuts, connect } = stage;
    const client = await connect('a');
    client.pause();
    const socket = server.get('a');
    while (cuts.length === 0 && socket.connected) {
      socket.emit('direct', KILOBYTE);
      factory.watch(socket);
      if (socket.conn.transport.writable || cuts.length === 0) await nextIteration();
      expect(pendingBytes(socket)).toBeLessThanOrEqual(MAX_BYTES + KILOBYTE.length + 40);
    }
    expect(cuts).toEqual([socket.conn]);
  });

  it('is held to it when its client does not poll', async () => {
    await using stage = await start();
    const { server, cuts } = stage;
    const client = await server.polling('a');
    await server.join(client, 'a', ['40']);
    client.close();
    flood(server, 'kept');
    await vi.waitFor(() => expect(cuts).toEqual([server.get('a').conn]), { timeout: 1_000 });
  });
});

describe('broadcasts with a key', () => {
  it('wait as the newest one only, in the place of the first, for who does not keep up', async () => {
    await using stage = await start();
    const { server, factory, connect } = stage;
    const client = await connect('a');
    const socket = await stall(server, client, 'a');
    const before = pendingBytes(socket);
    emit(server, ['cursor', { alice: 0 }], { conflate: 'alice' });
    emit(server, ['task', 'one']);
    for (let x = 1; x <= 1_000; x++) {
      emit(server, ['cursor', { alice: x }], { conflate: 'alice' });
      emit(server, ['cursor', { bob: x }], { conflate: 'bob' });
      emit(server, ['pointer', { alice: x }], { conflate: 'alice' });
    }
    emit(server, ['task', 'two']);
    expect(pendingBytes(socket) - before).toBeLessThan(200);
    expect(factory.counters().conflated).toBe(1_000 + 999 + 999);
    emit(server, ['end', null]);
    client.resume();
    expect(await eventsOf(client)).toEqual([
      ['cursor', { alice: 1_000 }],
      ['task', 'one'],
      ['cursor', { bob: 1_000 }],
      ['pointer', { alice: 1_000 }],
      ['task', 'two'],
    ]);
  });

  it('reach who keeps up one by one, within an iteration and behind direct packets too', async () => {
    await using stage = await start();
    const { server, factory, connect } = stage;
    const client = await connect('a');
    for (let x = 0; x < 20; x++) {
      emit(server, ['cursor', x], { conflate: 'alice' });
      if (x === 10) server.get('a').emit('direct');
    }
    emit(server, ['end', null]);
    const heard = (await eventsOf(client)).map((event) => JSON.stringify(event));
    expect(heard.filter((event) => event.includes('cursor'))).toEqual(
      Array.from({ length: 20 }, (_, x) => `["cursor",${x}]`),
    );
    expect(factory.counters().conflated).toBe(0);
  });
});

describe('connections that keep up', () => {
  it('leave nothing behind', async () => {
    await using stage = await start();
    const { server, factory, connect } = stage;
    const client = await connect('a');
    for (let index = 0; index < 50; index++) {
      server.get('a').emit('direct');
      emit(server, ['x', index]);
    }
    emit(server, ['end', null]);
    await client.until('2["end",null]');
    await vi.waitFor(() => expect(factory.waiting()).toMatchObject({ connections: 0, bytes: 0 }));
  });
});
