import { once } from 'node:events';
import { createServer } from 'node:http';
import { z } from 'zod';
import { listenOn, parseEnv, runMain, secret, wholeNumber } from '../src/index.ts';

/** A process of the house in the smallest form, for the tests of `runMain`. */

const say = (line: string) => process.stdout.write(`${line}\n`);

const settings = z.object({
  FANFARE_PORT: wholeNumber(0, 65_535).default(0),
  FANFARE_TOKEN_SECRET: secret(16),
  REDIS_URL: z.url().optional(),
  FANFARE_SHUTDOWN_MS: wholeNumber(1, 3_600_000).default(60_000),
  FANFARE_START: z.enum(['at once', 'until stdin ends', 'throws']).default('at once'),
  FANFARE_DRAIN: z.enum(['at once', 'never', 'until stdin ends']).default('at once'),
});

const never = () => new Promise<never>(() => {});
const stdinEnd = () => once(process.stdin.resume(), 'end');

process.on('SIGTERM', () => say('heard SIGTERM'));

await runMain({
  load: (env) => {
    const { settings: given, warnings } = parseEnv(settings, env);
    return {
      http: { host: '127.0.0.1', port: given.FANFARE_PORT },
      tokenSecret: given.FANFARE_TOKEN_SECRET,
      redisUrl: given.REDIS_URL,
      start: given.FANFARE_START,
      drain: given.FANFARE_DRAIN,
      shutdownMs: given.FANFARE_SHUTDOWN_MS,
      warnings,
    };
  },
  start: async (config) => {
    say('starting');
    if (config.start === 'until stdin ends') await stdinEnd();
    if (config.start === 'throws') throw new TypeError('a mistake in the program');
    const http = createServer((_req, res) => res.end());
    return {
      listen: async () => {
        say(`listening ${await listenOn(http, { ...config.http, setting: 'FANFARE_PORT' })}`);
      },
      drain: async () => {
        say('draining');
        http.close();
        if (config.drain === 'never') await never();
        if (config.drain === 'until stdin ends') await stdinEnd();
      },
      [Symbol.asyncDispose]: async () => {
        http.close();
        say('disposed');
      },
    };
  },
});
