import { once } from 'node:events';
import { setImmediate as nextIteration } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { WebSocketClient } from '../test/raw-client.ts';
import { TwinClients } from '../test/twin-clients.ts';
import { TwinServers } from '../test/twin-servers.ts';

const PSK = { psk: Buffer.alloc(32, 1), identity: 'test' };
const CIPHERS = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;

describe('over TLS', () => {
  it('a decorated server sends what stock sends, through the stream', async () => {
    await using servers = await TwinServers.start({}, { tls: { ...CIPHERS, pskCallback: () => PSK.psk } });
    using twins = await TwinClients.connect(servers, {
      tls: { ...CIPHERS, pskCallback: () => PSK, checkServerIdentity: () => undefined },
    });
    for (let index = 0; index < 30; index++) {
      for (const server of servers.both) {
        server.io.emit('x', index, 'y'.repeat(index * 1_000));
        if (index % 5 === 0) server.get('a').emit('z', index);
        server.io.emit('bytes', Buffer.alloc(index));
      }
      if (index % 3 === 0) await nextIteration();
    }
    const [stock, decorated] = await twins.take();
    expect(decorated).toEqual(stock);
    expect(servers.factory.counters().fastDeliveries).toBeGreaterThan(10);
  });
});

describe('the heartbeat', () => {
  it('goes on while broadcasts are sent', async () => {
    await using servers = await TwinServers.start({ pingInterval: 20, pingTimeout: 2_000 });
    const { decorated } = servers;
    const client = await decorated.webSocket('a');
    await decorated.join(client, 'a', ['40']);
    const { conn } = decorated.get('a');
    let beats = 0;
    conn.on('heartbeat', () => beats++);
    while (beats < 3) {
      decorated.io.emit('x');
      await nextIteration();
    }
    expect(conn.readyState).toBe('open');
    client.close();
  });
});

describe('a process that exits right after a broadcast', () => {
  it('has sent it', async () => {
    const script = fileURLToPath(new URL('../test/exiting-server.ts', import.meta.url));
    await using server = await ManagedProcess.start({
      command: process.execPath,
      args: ['--conditions=source', script],
    });
    const port = Number(await server.waitForLine((line) => /^\d+$/.test(line)));
    const packets: string[] = [];
    const client = await WebSocketClient.connect({
      port,
      name: 'a',
      onPacket: (packet, self) => {
        packets.push(String(packet));
        if (String(packet).startsWith('40')) self.send('42["exit"]');
      },
    });
    client.send('40');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    await client.until('never');
    expect(packets.at(-1)).toBe('42["bye"]');
  });
});

describe('a server that is closed right after a broadcast', () => {
  it('has sent it, as stock has', async () => {
    await using servers = await TwinServers.start();
    using twins = await TwinClients.connect(servers);
    const isGone = servers.both.map((server) => once(server.get('a'), 'disconnect'));
    await Promise.all(
      servers.both.map(({ io }) => {
        io.emit('bye');
        return io.close();
      }),
    );
    await Promise.all(isGone);
    const [stock, decorated] = await twins.take();
    expect(decorated).toEqual(stock);
    expect(stock[0]).toContain('bye');
  });
});
