import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { z } from 'zod';
import type { Random } from '../../chaos/random.ts';
import type { Attack } from '../attack.ts';

const BATCH = 50;
const LISTEN_MS = 500;
const names = z.array(z.string());

const REQUEST_TYPES = 12;

const randomBytes = (random: Random): Buffer =>
  Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));

/** JSON of a request that is right in part, about a room that nobody is in. */
const randomRequest = (random: Random): Buffer => {
  const deep = '['.repeat(random.below(3000));
  const opts = random.pick([
    '{"rooms":["fuzz:9"],"except":[]}',
    '{"rooms":["fuzz:9"],"flags":{"timeout":-1}}',
    '{}',
    'null',
    '[]',
  ]);
  const rooms = random.pick(['["a"]', '"a"', '{}', 'null', deep, '[1e999]']);
  const text = `{"uid":"x${random.below(9)}","requestId":"${random.below(9)}","type":${random.below(REQUEST_TYPES)},"opts":${opts},"rooms":${rooms},"data":["fuzz:told",${rooms}],"sockets":${rooms}}`;
  return Buffer.from(text.slice(0, random.below(4) === 0 ? random.below(text.length) : text.length));
};

/** Nested msgpack, or one that announces more than there is. */
const randomPack = (random: Random): Buffer => {
  const head = random.pick([0x91, 0x81, 0xdc, 0xdd, 0xde, 0xdf, 0xc6, 0xc7, 0xc9, 0xdb, 0xd9]);
  return Buffer.concat([Buffer.alloc(1 + random.below(5000), head), randomBytes(random)]);
};

/** What was really said on some channel, with bytes changed. */
const mutated = (heard: readonly Buffer[], random: Random): Buffer => {
  if (heard.length === 0) return randomBytes(random);
  const copy = Buffer.from(random.pick(heard));
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
  }
  return random.below(4) === 0 ? copy.subarray(0, random.below(copy.length + 1)) : copy;
};

const nextMessage = (heard: readonly Buffer[], random: Random): Buffer => {
  const kind = random.below(8);
  if (kind === 0) return randomBytes(random);
  if (kind === 1) return randomPack(random);
  if (kind === 2) return randomRequest(random);
  return mutated(heard, random);
};

/** Every channel that somebody listens to, and what is said there meanwhile. */
const listen = async (url: string): Promise<{ channels: string[]; heard: Buffer[] }> => {
  const redis = new Redis(url);
  const listener = new Redis(url);
  const heard: Buffer[] = [];
  try {
    const channels = names.parse(await redis.pubsub('CHANNELS'));
    listener.on('messageBuffer', (_channel: unknown, message: Buffer) => {
      if (heard.length < 500) heard.push(message);
    });
    await listener.subscribe(...channels);
    // Whatever the healthy clients, nodes and probes say in that time.
    await delay(LISTEN_MS);
    return { channels, heard };
  } finally {
    redis.disconnect();
    listener.disconnect();
  }
};

export const randomBusMessages: Attack = {
  name: 'random messages on every Redis channel',
  mayForge: true,
  run: async ({ stack, random, scale }) => {
    const { channels, heard } = await listen(stack.redis.url);
    const redis = new Redis(stack.redis.url);
    try {
      for (let sent = 0; sent < scale.busMessages; sent += BATCH) {
        const pipeline = redis.pipeline();
        for (let i = 0; i < BATCH; i += 1)
          pipeline.publish(random.pick(channels), nextMessage(heard, random));
        await pipeline.exec();
        await delay(1);
      }
    } finally {
      redis.disconnect();
    }
    return {
      sent: scale.busMessages,
      checks: [
        { name: 'channels', value: channels.length, atLeast: 10 },
        { name: 'messages that were overheard', value: heard.length, atLeast: 10 },
      ],
    };
  },
};
