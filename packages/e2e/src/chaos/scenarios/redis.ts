import { setTimeout as lasts } from 'node:timers/promises';
import { DROPPED_REPLIES } from '@fanfare/testing';
import type { Scenario } from '../run.ts';

/** Redis dies without a word, stays away for a while and comes back with what it had written. */
export const redisKilled = (seconds: number): Scenario => ({
  name: `redis killed for ${seconds} s`,
  fault: async ({ cluster, note }) => {
    const { redis } = cluster.stack;
    redis.kill('SIGKILL');
    note('redis killed');
    await redis.process.exited;
    await lasts(seconds * 1000);
    await redis.restart();
  },
});

/** Redis holds every connection and answers none, then carries out what it was sent meanwhile. */
export const redisStopped = (seconds: number): Scenario => ({
  name: `redis stopped for ${seconds} s`,
  fault: async ({ cluster, note }) => {
    cluster.stack.redis.kill('SIGSTOP');
    note('redis stopped');
    await lasts(seconds * 1000);
    cluster.stack.redis.kill('SIGCONT');
  },
});

/** Every subscription of the cluster is cut, again and again. */
export const subscriptionsKilled = (times: number): Scenario => ({
  name: `subscriptions killed ${times} times`,
  fault: async ({ cluster, random, note, check }) => {
    let killed = 0;
    await cluster.askRedis(async (redis) => {
      for (let i = 0; i < times; i++) {
        killed += Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
        await lasts(100 + random.below(400));
      }
    });
    note(`${killed} subscriptions killed`);
    check({ name: 'subscriptions killed', value: killed, atLeast: times });
  },
});

/** Redis carries out what it is asked, and nobody hears of it. */
export const repliesDropped = (times: number): Scenario => ({
  name: `replies dropped ${times} times`,
  fault: async ({ cluster, random, publishers, note, check }) => {
    const links = Object.entries(cluster.proxies);
    for (let i = 0; i < times; i++) {
      const [name, proxy] = i % 2 === 0 ? (['api', cluster.proxies.api] as const) : random.pick(links);
      proxy.set(DROPPED_REPLIES);
      await lasts(200 + random.below(300));
      proxy.heal();
      proxy.cut();
      note(`replies to ${name} dropped`);
      await lasts(500);
    }
    check({ name: 'retries that the log knew', value: publishers.counts.duplicates, atLeast: 1 });
  },
});

/** All data is gone, and nobody is told by Redis: a room finds out with its next event. */
export const redisEmptied: Scenario = {
  name: 'redis emptied',
  resets: 'every member',
  fault: async ({ cluster, rooms, publishers, note }) => {
    await cluster.askRedis((redis) => redis.flushall());
    note('redis emptied');
    await Promise.all(rooms.map((room) => publishers.publish(room)));
  },
};

/** The server that has a room dies while its replica is a moment behind at most, and the replica takes over. */
export const redisFailedOver = (redis: 'cluster' | 'sentinel'): Scenario => ({
  name: `redis failed over, ${redis}`,
  redis,
  resets: 'some',
  fault: async ({ cluster, random, rooms, note }) => {
    const room = random.pick(rooms);
    note(`the redis of ${room} is killed`);
    await cluster.failOver(room);
  },
});
