import { describe, expect, it } from 'vitest';
import type { RawClient } from '../test/raw-client.ts';
import { type NamedServer, TwinServers } from '../test/twin-servers.ts';

type Side = 'stock' | 'decorated';
const SIDES: ReadonlyArray<Side> = ['stock', 'decorated'];

class Scene implements AsyncDisposable {
  readonly server: NamedServer;
  readonly #servers: TwinServers;
  readonly #clients: RawClient[] = [];
  readonly #heard = new Map<string, string[]>();

  private constructor(servers: TwinServers, side: Side) {
    this.#servers = servers;
    this.server = servers[side];
  }

  static async open(side: Side, options: Parameters<typeof TwinServers.start>[0] = {}): Promise<Scene> {
    return new Scene(await TwinServers.start(options), side);
  }

  /** Connects websocket clients by these names. They answer what asks for an acknowledgement. */
  async connect(...names: string[]): Promise<void> {
    for (const name of names) {
      const heard: string[] = [];
      const client = await this.server.webSocket(name, {
        onPacket: (packet, self) => {
          heard.push(String(packet));
          const id = /^42(\d+)\["ask"/.exec(String(packet))?.[1];
          if (id !== undefined) self.send(`43${id}["${name}"]`);
        },
      });
      await this.server.join(client, name, ['40']);
      heard.length = 0;
      this.#clients.push(client);
      this.#heard.set(name, heard);
    }
  }

  /** Lets everything arrive that has been sent, and returns who heard an event, with what. */
  async heard(): Promise<Record<string, string[]>> {
    const names = [...this.#heard.keys()];
    for (const [index, name] of names.entries()) {
      this.server.get(name).conn.send('end');
      await this.#clients[index]?.until('end');
    }
    const heard = names.map((name) => [name, this.#heard.get(name)?.splice(0) ?? []] as const);
    return Object.fromEntries(
      heard.map(([name, packets]) => [name, packets.filter((packet) => packet.startsWith('42'))]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#servers[Symbol.asyncDispose]();
  }
}

const ONE = ['42["x"]'];

describe.each(SIDES)('the rooms of a %s server', (side) => {
  it('are told of by events, each when it happens', async () => {
    await using scene = await Scene.open(side);
    const { adapter } = scene.server.io.of('/');
    const events: string[] = [];
    for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
      adapter.on(event, (...args) => events.push([event, ...args].join(' ')));
    }
    adapter.addAll('s1', new Set(['r1', 'r2']));
    adapter.addAll('s2', new Set(['r1']));
    adapter.del('s1', 'r1');
    adapter.delAll('s2');
    adapter.delAll('s2');
    expect(events).toEqual([
      'create-room r1',
      'join-room r1 s1',
      'create-room r2',
      'join-room r2 s1',
      'join-room r1 s2',
      'leave-room r1 s1',
      'leave-room r1 s2',
      'delete-room r1',
    ]);
  });

  it('may be left from within a listener of leaving', async () => {
    await using scene = await Scene.open(side);
    const { adapter } = scene.server.io.of('/');
    adapter.on('leave-room', () => adapter.delAll('s1'));
    adapter.addAll('s1', new Set(['r1', 'r2']));
    adapter.del('s1', 'r1');
    expect(adapter.rooms.size).toBe(0);
    expect(adapter.sids.size).toBe(0);
  });

  it('know their sockets and each socket its rooms', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b');
    const [a, b] = [scene.server.get('a'), scene.server.get('b')];
    a.join(['r1', 'r2']);
    b.join('r2');
    const { adapter } = scene.server.io.of('/');
    expect(await adapter.sockets(new Set(['r1']))).toEqual(new Set([a.id]));
    expect(await adapter.sockets(new Set(['r1', 'r2']))).toEqual(new Set([a.id, b.id]));
    expect(await adapter.sockets(new Set())).toEqual(new Set([a.id, b.id]));
    expect(await adapter.sockets(new Set(['none']))).toEqual(new Set());
    expect(adapter.socketRooms(a.id)).toEqual(new Set([a.id, 'r1', 'r2']));
    expect(adapter.socketRooms('nobody')).toBeUndefined();
  });

  it('move their sockets in and out, and disconnect them', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    const { io } = scene.server;
    scene.server.get('a').join('r1');
    scene.server.get('b').join('r1');
    io.in('r1').except(scene.server.get('b').id).socketsJoin('r2');
    expect((await io.in('r2').fetchSockets()).map(({ id }) => id)).toEqual([scene.server.get('a').id]);
    io.in('r1').socketsLeave('r1');
    expect(await io.in('r1').fetchSockets()).toEqual([]);
    io.in(['r2', scene.server.get('c').id]).disconnectSockets();
    expect((await io.fetchSockets()).map(({ id }) => id)).toEqual([scene.server.get('b').id]);
  });
});

describe.each(SIDES)('a broadcast of a %s server', (side) => {
  it('reaches everybody, or everybody in a room, or nobody', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    for (const name of ['a', 'b']) scene.server.get(name).join('r1');
    scene.server.io.emit('x');
    expect(await scene.heard()).toEqual({ a: ONE, b: ONE, c: ONE });
    scene.server.io.to('r1').emit('x');
    expect(await scene.heard()).toEqual({ a: ONE, b: ONE, c: [] });
    scene.server.io.to('none').emit('x');
    expect(await scene.heard()).toEqual({ a: [], b: [], c: [] });
  });

  it('reaches a socket in several of the rooms once', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    scene.server.get('a').join(['r1', 'r2']);
    scene.server.get('b').join('r2');
    scene.server.io.to(['r1', 'r2', 'none']).emit('x');
    expect(await scene.heard()).toEqual({ a: ONE, b: ONE, c: [] });
  });

  it('passes over the sender and the rooms that are excepted', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c', 'd');
    for (const name of ['a', 'b', 'c']) scene.server.get(name).join('r1');
    for (const name of ['b', 'd']) scene.server.get(name).join('r2');
    scene.server.get('a').to('r1').emit('x');
    expect(await scene.heard()).toEqual({ a: [], b: ONE, c: ONE, d: [] });
    scene.server.get('a').broadcast.emit('x');
    expect(await scene.heard()).toEqual({ a: [], b: ONE, c: ONE, d: ONE });
    scene.server.io.except('r2').emit('x');
    expect(await scene.heard()).toEqual({ a: ONE, b: [], c: ONE, d: [] });
    scene.server.io
      .to('r1')
      .except(['r2', scene.server.get('c').id])
      .emit('x');
    expect(await scene.heard()).toEqual({ a: ONE, b: [], c: [], d: [] });
  });

  it('follows who joins and leaves, one after another', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    const { io } = scene.server;
    for (const name of ['a', 'b']) scene.server.get(name).join('r1');
    io.to('r1').emit('x');
    scene.server.get('c').join('r1');
    io.to('r1').emit('x');
    scene.server.get('a').leave('r1');
    io.to('r1').emit('x');
    scene.server.get('b').disconnect();
    io.to('r1').emit('x');
    io.emit('x');
    const { a, c } = await scene.heard();
    expect(a).toEqual([...ONE, ...ONE, ...ONE]);
    expect(c).toEqual([...ONE, ...ONE, ...ONE, ...ONE]);
  });

  it('does not reach a socket that has joined rooms in a middleware but is not connected', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b');
    for (const name of ['a', 'b']) scene.server.get(name).join('r1');
    const { io } = scene.server;
    io.use((socket, next) => {
      socket.join('r1');
      io.to('r1').emit('x');
      io.emit('x');
      next();
    });
    await scene.connect('c');
    io.to('r1').emit('x');
    const { a, c } = await scene.heard();
    expect(a).toEqual([...ONE, ...ONE, ...ONE]);
    expect(c).toEqual(ONE);
  });

  it('asks each socket once for an acknowledgement and gathers the answers', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    for (const name of ['a', 'b']) scene.server.get(name).join('r1');
    const { io } = scene.server;
    const answers = await io.to('r1').timeout(5_000).emitWithAck('ask');
    expect([...answers].sort()).toEqual(['a', 'b']);
    expect(await io.to('none').timeout(5_000).emitWithAck('ask')).toEqual([]);
    expect(await scene.server.get('c').timeout(5_000).emitWithAck('ask')).toBe('c');
  });

  it('gives the answers that came in time when one is missing', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a');
    const silent = await scene.server.webSocket('silent');
    await scene.server.join(silent, 'silent', ['40']);
    const asked = scene.server.io.timeout(200).emitWithAck('ask');
    await expect(asked).rejects.toMatchObject({ responses: ['a'] });
    expect(Reflect.get(scene.server.get('silent'), 'acks').size).toBe(0);
    silent.close();
  });

  it('is told to the listeners of outgoing packets, in the order of the sockets', async () => {
    await using scene = await Scene.open(side);
    await scene.connect('a', 'b', 'c');
    const told: string[] = [];
    scene.server.get('c').onAnyOutgoing((...args) => told.push(`c ${args}`));
    scene.server.io.emit('x', 0);
    scene.server.get('a').onAnyOutgoing((...args) => told.push(`a ${args}`));
    for (const name of ['c', 'a']) scene.server.get(name).join('r1');
    scene.server.get('a').prependAnyOutgoing(() => told.push('a first'));
    scene.server.io.to('r1').emit('x', 1);
    scene.server.io.emit('x', 2);
    scene.server.get('a').offAnyOutgoing();
    scene.server.io.emit('x', 3);
    expect(told).toEqual(['c x,0', 'c x,1', 'a first', 'a x,1', 'a first', 'a x,2', 'c x,2', 'c x,3']);
  });
});
