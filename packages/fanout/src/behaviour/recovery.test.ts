import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type NamedServer, TwinServers } from '../test/twin-servers.ts';

interface Session {
  readonly pid: string;
  readonly offset: string;
}

/** Connects, hears one packet, is cut off, and comes back after two more; returns what it is sent then. */
async function missedBy(server: NamedServer, change: (session: Session) => Session): Promise<string[]> {
  let packets: string[] = [];
  const onPacket = (packet: string | Buffer) => packets.push(String(packet));
  const first = await server.webSocket('a', { onPacket });
  await server.join(first, 'a', ['40']);
  server.get('a').join('r1');
  server.io.to('r1').emit('heard');
  server.get('a').conn.send('end');
  await first.until('end');
  const pid = /"pid":"([^"]+)"/.exec(packets.join())?.[1] ?? '';
  const offset = /^42\["heard","([^"]+)"\]$/m.exec(packets.join('\n'))?.[1] ?? '';
  const isGone = once(server.get('a'), 'disconnect');
  first.close();
  await isGone;
  server.io.to('r1').emit('missed', 1);
  server.io.except('r1').emit('not for it');
  server.io.to('r1').volatile.emit('dropped');
  server.io.emit('missed', 2);
  packets = [];
  const second = await server.webSocket('a', { onPacket });
  await server.join(second, 'a', [`40${JSON.stringify(change({ pid, offset }))}`]);
  server.io.to('r1').emit('after');
  server.get('a').conn.send('end');
  await second.until('end');
  second.close();
  return packets
    .filter((packet) => packet.startsWith('42'))
    .map((packet) => packet.replace(/,"[^"]+"\]$/, ']'));
}

describe('connection state recovery', () => {
  it.each([
    [
      'sends what was missed',
      (session: Session) => session,
      ['42["missed",1]', '42["missed",2]', '42["after"]'],
    ],
    ['sends nothing to an unknown session', (session: Session) => ({ ...session, pid: 'other' }), []],
    ['sends nothing from an unknown offset', (session: Session) => ({ ...session, offset: 'other' }), []],
  ])('%s, as stock does', async (_what, change, expected) => {
    await using servers = await TwinServers.start({ connectionStateRecovery: {} });
    expect(await missedBy(servers.stock, change)).toEqual(expected);
    expect(await missedBy(servers.decorated, change)).toEqual(expected);
  });
});
