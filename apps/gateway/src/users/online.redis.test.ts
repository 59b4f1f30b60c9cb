import {
  connectRedis,
  DEFAULT_RETENTION,
  EventLog,
  publishOverRedis,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { eventually } from '@fanfare/testing';
import { expect, it } from 'vitest';
import { startPair } from '../../test/start-node.ts';

it('the cluster says how many different users it has, however many sockets, nodes and namespaces each is on', async () => {
  await using pair = await startPair({ FANFARE_NAMESPACES: '/,/chat' });
  const { a: one, b: two } = pair;
  const target = redisUrl.parse(pair.redis.url);
  await using link = connectRedis({ target, name: 'test', onChange: () => undefined });
  const log = new EventLog(link, retentionRules.parse(DEFAULT_RETENTION));
  const publisher = publishOverRedis({ link, bus: { send: async () => 0 }, log });
  const usersOf = async () => {
    const { nodes, users } = await publisher.nodes();
    const sockets = nodes.reduce((sum, { connections }) => sum + connections, 0);
    return { sockets, users, ofNodes: nodes.map((node) => node.users).sort() };
  };

  const alice = [
    await one.connect('alice'),
    await one.connect('alice'),
    await one.connect('alice', { namespace: '/chat' }),
    await two.connect('alice', { namespace: '/chat' }),
  ];
  const bob = await two.connect('bob');
  await eventually(async () => expect(await usersOf()).toEqual({ sockets: 5, users: 2, ofNodes: [1, 2] }));
  for (const socket of alice.slice(1)) socket.disconnect();
  await eventually(async () => expect(await usersOf()).toEqual({ sockets: 2, users: 2, ofNodes: [1, 1] }));
  bob.disconnect();
  await eventually(async () => expect(await usersOf()).toEqual({ sockets: 1, users: 1, ofNodes: [0, 1] }));
});
