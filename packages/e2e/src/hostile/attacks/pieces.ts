import { type Attack, cutAfter, portOf, type Target } from '../attack.ts';
import { frame, openWebSocket, RawConnection } from '../connection.ts';

const many = <T>(target: Target, one: (turn: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: target.scale.attackers }, (_, turn) => one(turn)));

/** Events that announce binary parts, of which the last one never comes. */
const pendingAttachments: Attack = {
  name: 'pending attachments',
  run: async (target) => {
    const part = frame(Buffer.alloc(20_000), 0x82);
    const placeholders = (count: number) =>
      Array.from({ length: count }, (_, num) => JSON.stringify({ _placeholder: true, num })).join(',');
    const connections = await many(target, async (turn) => {
      const connection = await openWebSocket(portOf(target, turn), target.stack.token);
      await connection.write(frame(`4510-["room:signal",${placeholders(10)}]`));
      for (let parts = 0; parts < 9; parts += 1) await connection.write(part);
      return connection;
    });
    const announced = await many(target, async (turn) => {
      using connection = await openWebSocket(portOf(target, turn), target.stack.token);
      const since = performance.now();
      await connection.write(frame(`45${10 ** (2 + (turn % 8))}-["room:signal",${placeholders(11)}]`));
      return cutAfter(connection, since);
    });
    for (const connection of connections) connection[Symbol.dispose]();
    return { sent: connections.length * 10 + announced.length, cutMs: announced };
  },
};

/** One message in pieces without an end. */
const fragments: Attack = {
  name: 'fragments without an end',
  run: async (target) => {
    const more = Buffer.concat(Array.from({ length: 1000 }, () => frame('x', 0x00)));
    let sent = 0;
    const cutMs = await many(target, async (turn) => {
      using connection = await openWebSocket(portOf(target, turn), target.stack.token);
      const since = performance.now();
      await connection.write(frame('42["room:leave",', 0x01));
      for (let thousands = 0; thousands < 150 && connection.isOpen; thousands += 1) {
        await connection.write(more);
        sent += 1000;
      }
      return cutAfter(connection, since);
    });
    return { sent, cutMs };
  },
};

/** Frames and polls above the size of a message. */
const oversized: Attack = {
  name: 'oversized messages',
  run: async (target) => {
    const huge = frame(`42["room:signal",{"data":"${'x'.repeat(4_000_000)}"}]`);
    const lying = Buffer.concat([Buffer.from([0x81, 0xff]), Buffer.alloc(8, 0x7f), Buffer.alloc(1000)]);
    const cutMs = await many(target, async (turn) => {
      using connection = await openWebSocket(portOf(target, turn), target.stack.token);
      const since = performance.now();
      await connection.write(turn % 2 === 0 ? huge : lying);
      return cutAfter(connection, since);
    });
    return { sent: cutMs.length, cutMs };
  },
};

const BEGINNINGS = [
  '',
  'GET /socket.io/?EIO=4',
  'GET /api/health HTTP/1.1\r\nHost: a\r\nX-A: ',
  'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n',
];

/** Requests that never come to the end of their headers, and connections that never join a namespace. */
const slowloris: Attack = {
  name: 'slowloris',
  run: async (target) => {
    const silent = await many(target, async (turn) => {
      using connection = await RawConnection.open(portOf(target, turn));
      await connection.write(BEGINNINGS[turn % BEGINNINGS.length] ?? '');
      const dripping = setInterval(() => void connection.write('x'), 100);
      const cut = await cutAfter(connection, performance.now());
      clearInterval(dripping);
      return cut;
    });
    const nameless = await many(target, async (turn) => {
      using connection = await openWebSocket(portOf(target, turn));
      return cutAfter(connection, performance.now());
    });
    return { sent: silent.length + nameless.length, cutMs: [...silent, ...nameless] };
  },
};

export const PIECES: readonly Attack[] = [pendingAttachments, fragments, oversized, slowloris];
