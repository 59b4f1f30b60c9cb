import { setImmediate as nextIteration } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { PollingClient, type RawClient } from '../test/raw-client.ts';
import { type NamedServer, TwinServers } from '../test/twin-servers.ts';

const DELIVERIES = 1_000;
const UPGRADE_AT = 200;
const UPGRADED_AT = 700;

const textOf = (index: number): string => `42["n",${index},"${'ü'.repeat(index % 150)}"]`;

interface Heard {
  readonly client: RawClient;
  /** The packets of the broadcasts, in the order in which they came, over whichever transport. */
  readonly packets: string[];
}

async function connectAll(server: NamedServer): Promise<Record<string, Heard>> {
  const heard: Record<string, Heard> = {};
  for (const kind of ['websocket', 'deflated', 'polling', 'upgrading']) {
    const packets: string[] = [];
    const onPacket = (packet: string | Buffer) => {
      if (String(packet).startsWith('42')) packets.push(String(packet));
    };
    const client =
      kind === 'websocket' || kind === 'deflated'
        ? await server.webSocket(kind, { isDeflated: kind === 'deflated', onPacket })
        : await server.polling(kind, { onPacket });
    await server.join(client, kind, ['40']);
    server.get(kind).join('all');
    heard[kind] = { client, packets };
  }
  return heard;
}

it('delivers 1,000 broadcasts to polling, upgrading, deflated and websocket clients as stock does', async () => {
  await using servers = await TwinServers.start({ perMessageDeflate: { threshold: 0 } });
  const stock = await connectAll(servers.stock);
  const decorated = await connectAll(servers.decorated);
  let upgrades: Promise<void>[] = [];
  for (let index = 0; index < DELIVERIES; index++) {
    for (const { io } of servers.both) {
      io.to('all').emit('n', index, 'ü'.repeat(index % 150));
    }
    if (index === UPGRADE_AT) {
      upgrades = [stock.upgrading, decorated.upgrading].map(async (heard) => {
        if (heard?.client instanceof PollingClient) await heard.client.upgrade();
      });
    }
    if (index === UPGRADED_AT) await Promise.all(upgrades);
    if (index % 3 === 0) await nextIteration();
  }
  const expected = Array.from({ length: DELIVERIES }, (_, index) => textOf(index));
  for (const [server, heard] of [[servers.stock, stock] as const, [servers.decorated, decorated] as const]) {
    for (const [kind, { client, packets }] of Object.entries(heard)) {
      server.get(kind).conn.send('end');
      await client.until('end');
      expect(packets, kind).toEqual(expected);
      client.close();
    }
  }
  const { fastDeliveries, stockDeliveries } = servers.factory.counters();
  expect(fastDeliveries + stockDeliveries).toBe(4 * DELIVERIES);
  expect(fastDeliveries).toBeGreaterThan(DELIVERIES);
});
