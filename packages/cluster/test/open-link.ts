import { eventually } from '@fanfare/testing';
import { expect } from 'vitest';
import { connectRedis, type RedisLink } from '../src/redis/link.ts';
import { redisUrl } from '../src/redis/url.ts';

/** A link to Redis that stands. */
export const openLink = async (url: string): Promise<RedisLink> => {
  const link = connectRedis({ target: redisUrl.parse(url), name: 'test', onChange: () => undefined });
  await eventually(() => expect(link.up).toBe(true));
  return link;
};
