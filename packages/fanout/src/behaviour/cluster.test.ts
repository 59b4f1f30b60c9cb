import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '@fanfare/testing';
import { expect, it } from 'vitest';
import { WebSocketClient } from '../test/raw-client.ts';

class Listener {
  readonly packets: string[] = [];
  #wanted: { readonly packet: string; readonly resolve: () => void } | null = null;

  static async connect(port: number): Promise<[Listener, WebSocketClient]> {
    const listener = new Listener();
    const client = await WebSocketClient.connect({
      port,
      name: 'a',
      onPacket: (packet) => listener.#heard(String(packet)),
    });
    const isConnected = listener.until('40');
    client.send('40');
    await isConnected;
    return [listener, client];
  }

  /** Resolves with the packet that begins like this, one that is still to come. */
  until(packet: string): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { packet, resolve };
    });
  }

  #heard(packet: string): void {
    if (packet.startsWith('42') || packet.startsWith('43')) this.packets.push(packet);
    if (this.#wanted !== null && packet.startsWith(this.#wanted.packet)) this.#wanted.resolve();
  }
}

it('a decorated cluster adapter delivers to the sockets of both nodes, in order', async () => {
  await using nodes = await ManagedProcess.start({
    command: process.execPath,
    args: ['--conditions=source', fileURLToPath(new URL('../test/cluster-node.ts', import.meta.url))],
  });
  const ports = new Set<number>();
  await nodes.waitForLine((line) => ports.add(Number(line.replace('port ', ''))).size === 2);
  const [first = 0, second = 0] = ports;
  const [a, clientA] = await Listener.connect(first);
  const [b, clientB] = await Listener.connect(second);
  const isHeard = [a.until('42["said","49"]'), b.until('42["said","49"]')];
  for (let index = 0; index < 50; index++) clientA.send(`42["say","${index}"]`);
  await Promise.all(isHeard);
  const expected = Array.from({ length: 50 }, (_, index) => `42["said","${index}"]`);
  expect(a.packets).toEqual(expected);
  expect(b.packets).toEqual(expected);

  const isHeardByOther = b.until('42["said","others"]');
  clientA.send('42["say to others","others"]');
  await isHeardByOther;
  for (const [listener, client] of [[a, clientA] as const, [b, clientB] as const]) {
    const isCounted = listener.until('430');
    client.send('420["count"]');
    await isCounted;
    expect(listener.packets.at(-1)).toContain('"stockDeliveries":0');
  }
  expect(a.packets.filter((packet) => packet.includes('others'))).toEqual([]);
  for (const client of [clientA, clientB]) client.close();
});
