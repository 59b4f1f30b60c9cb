import {
  connectRedis,
  DEFAULT_RETENTION,
  EventLog,
  inboxRoom,
  publishOverRedis,
  redisUrl,
  retentionRules,
} from '@fanfare/cluster';
import { eventually, nextEvent, RedisCluster } from '@fanfare/testing';
import { expect, it } from 'vitest';
import { ask, startNode } from '../../test/start-node.ts';

it('users send to each other and have their inboxes on every shard of a Redis Cluster', async () => {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisCluster.start());
  const [a, b] = [
    stack.use(await startNode({ REDIS_URL: redis.url })),
    stack.use(await startNode({ REDIS_URL: redis.url })),
  ];
  const target = redisUrl.parse(redis.url);
  const link = stack.use(connectRedis({ target, name: 'api', onChange: () => undefined }));
  const log = new EventLog(link, retentionRules.parse(DEFAULT_RETENTION));
  const publisher = publishOverRedis({
    link,
    bus: { send: async (to, message) => Number(await link.publish(to, message)) },
    log,
  });
  await eventually(
    async () => {
      expect(link.up).toBe(true);
      for (const node of [a, b]) expect((await fetch(`${node.opsUrl}/readyz`)).status).toBe(200);
    },
    { timeoutMs: 20_000 },
  );

  const giver = await a.connect('giver');
  const send = (user: string) => ask(giver, 'user:send', { user, event: 'user:hugged', data: user });
  // As many users as reach all three shards.
  for (const user of ['ann', 'bob', 'cid', 'dan', 'eva', 'fay', 'guy', 'hal']) {
    const receiver = await b.connect(user);
    const hugged = nextEvent(receiver, 'user:hugged');
    await eventually(async () => expect(await send(user)).toEqual({ ok: true, data: {} }));
    expect(await hugged).toMatchObject([user, { from: 'giver', to: user }]);

    expect((await ask(receiver, 'room:join', { room: 'inbox:me' })).ok).toBe(true);
    const assigned = nextEvent(receiver, 'task:assigned');
    const shared = { namespace: '/', except: [], publisher: 'test', ephemeral: false };
    const [result] = await publisher.publish({
      ...shared,
      rooms: [inboxRoom(user)],
      event: 'task:assigned',
      data: 1,
    });
    expect(result).toMatchObject({ room: 'inbox:me', offset: 1 });
    expect(await assigned).toMatchObject([1, { room: 'inbox:me', offset: 1 }]);

    receiver.disconnect();
    await eventually(async () =>
      expect(await send(user)).toMatchObject({ ok: false, error: { code: 'user_offline' } }),
    );
  }
});
