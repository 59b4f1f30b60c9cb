import { setTimeout as lasts } from 'node:timers/promises';
import { DROPPED_REPLIES, eventually } from '@fanfare/testing';
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

/** Redis takes every connection and command, and answers none until the pause is over. */
export const redisPaused = (seconds: number): Scenario => ({
  name: `redis paused for ${seconds} s`,
  fault: async ({ cluster, note }) => {
    await cluster.askRedis((redis) => redis.call('CLIENT', 'PAUSE', seconds * 1000, 'ALL'));
    note('redis paused');
    await lasts(seconds * 1000);
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

/** All data is gone, and nobody is told by Redis: nodes find out by themselves. */
export const redisEmptied: Scenario = {
  name: 'redis emptied',
  resets: 'every member',
  fault: async ({ cluster, members, rooms, publishers, note, check }) => {
    // Only a room that has a past can lose it.
    await Promise.all(rooms.map((room) => publishers.publish(room)));
    await publishers.stop();
    await cluster.askRedis((redis) => redis.flushall());
    const from = performance.now();
    note('redis emptied');
    const untold = () =>
      members.filter(({ tracks }) => [...tracks.values()].some(({ resets }) => resets === 0));
    const assertTold = () => {
      if (untold().length > 0) throw new Error(`${untold().length} members were not told`);
    };
    await eventually(assertTold, { timeoutMs: 10_000 }).catch(() => undefined);
    const tookMs = Math.round(performance.now() - from);
    check({ name: 'every member told in every room after, ms', value: tookMs, atMost: 3500 });
    publishers.start();
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
