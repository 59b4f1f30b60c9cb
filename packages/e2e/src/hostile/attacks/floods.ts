import { type Attack, cutAfter, type Outcome, portOf, type Target } from '../attack.ts';
import { frame, openPolling, openWebSocket, post, RawConnection } from '../connection.ts';

/** More than a connection may have at once. */
const FLOOD = 20_000;
const BATCH = 500;

/** The same packets over and over on each of many connections, until they are cut. */
const flood = async (target: Target, packet: (n: number) => string, attackers: number): Promise<Outcome> => {
  let sent = 0;
  const one = async (turn: number): Promise<number> => {
    using connection = await openWebSocket(portOf(target, turn), target.stack.token);
    const since = performance.now();
    for (let n = 0; n < FLOOD && connection.isOpen; n += BATCH) {
      await connection.write(Buffer.concat(Array.from({ length: BATCH }, (_, i) => frame(packet(n + i)))));
      sent += BATCH;
    }
    return cutAfter(connection, since);
  };
  const cutMs = await Promise.all(Array.from({ length: attackers }, (_, turn) => one(turn)));
  return { sent, cutMs };
};

const floodOf = (name: string, packet: (n: number) => string): Attack => ({
  name: `${name} flood`,
  run: (target) => flood(target, packet, Math.min(4, target.scale.attackers)),
});

const pollFlood: Attack = {
  name: 'poll flood',
  run: async (target) => {
    let sent = 0;
    const one = async (turn: number): Promise<number> => {
      const url = `http://127.0.0.1:${portOf(target, turn)}`;
      const sid = await openPolling(url, target.stack.token);
      const since = performance.now();
      // 30,000 packets in 60 KB.
      await post(url, sid, Array.from({ length: 30_000 }, () => '3').join('\u001e'));
      sent += 1;
      const status = await post(url, sid, '3');
      return status === 400 ? performance.now() - since : Number.POSITIVE_INFINITY;
    };
    const cutMs = await Promise.all(Array.from({ length: target.scale.attackers }, (_, turn) => one(turn)));
    return { sent, cutMs };
  },
};

/** New sessions as fast as they go, through nginx, which has a budget for each address. */
const handshakeFlood: Attack = {
  name: 'handshake flood',
  run: async (target) => {
    const port = Number(new URL(target.stack.url).port);
    let answered = 0;
    const one = async (): Promise<void> => {
      using connection = await RawConnection.open(port);
      const path = '/socket.io/?EIO=4&transport=polling';
      const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
      await connection.write(request);
      await cutAfter(connection, 0);
      if (connection.heard.startsWith('HTTP/1.1')) answered += 1;
    };
    const rounds = target.scale.attackers * 2;
    for (let round = 0; round < rounds; round += 1) await Promise.all(Array.from({ length: 50 }, one));
    return {
      sent: rounds * 50,
      checks: [{ name: 'handshakes without any answer', value: rounds * 50 - answered, exactly: 0 }],
    };
  },
};

/** Frames that ws answers or drops by itself: Socket.IO never sees them. */
const controlFlood = (name: string, first: number): Attack => ({
  name: `websocket ${name} flood`,
  run: async (target) => {
    let sent = 0;
    const one = async (turn: number): Promise<number> => {
      using connection = await openWebSocket(portOf(target, turn), target.stack.token);
      const frames = Buffer.concat(Array.from({ length: BATCH }, () => frame('x'.repeat(100), first)));
      const since = performance.now();
      for (let n = 0; n < FLOOD && connection.isOpen; n += BATCH) {
        await connection.write(frames);
        sent += BATCH;
      }
      return cutAfter(connection, since);
    };
    return { cutMs: await Promise.all([one(0), one(1)]), sent };
  },
});

export const FLOODS: readonly Attack[] = [
  floodOf('engine ping', () => '2x'),
  floodOf('pong', () => '3'),
  floodOf('ack', (n) => `43${n}[{"ok":true}]`),
  floodOf('CONNECT', (n) => `40/nowhere${n},{"token":"x"}`),
  floodOf('event', (n) => `42["room:signal",{"room":"fuzz:1","event":"a:b","data":${n}}]`),
  controlFlood('ping', 0x89),
  controlFlood('pong', 0x8a),
  pollFlood,
  handshakeFlood,
];
