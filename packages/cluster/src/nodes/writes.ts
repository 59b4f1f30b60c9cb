import { Cluster } from 'ioredis';
import { loadScript, type RedisCommands } from '../redis/script.ts';

/** How often Redis is asked, in ms. */
const ASK_MS = 2000;

const writable = loadScript(new URL('writable.lua', import.meta.url));

/** What Redis says that does not write: above its memory, without a disk to write to, without replicas, or as one. */
const REFUSED_WRITE = /^(?:OOM|MISCONF|NOREPLICAS|READONLY)\b/;

/** Whether an error of Redis says that it takes no writes; any other one comes from a Redis that is away. */
export const isRefusedWrite = (error: unknown): boolean =>
  error instanceof Error && REFUSED_WRITE.test(error.message);

/**
 * Asks Redis, of a Redis Cluster every master, whether it takes writes, without writing anything. For processes that hold no
 * lease: those that do are told by its renewal.
 */
export function watchWrites(redis: RedisCommands): AsyncDisposable & {
  /** Redis is reached and takes no writes: it is full, or a replica. */
  readonly refused: boolean;
} {
  let refused = false;
  const ask = async (): Promise<void> => {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    const answers = await Promise.allSettled(servers.map((server) => writable.run(server, [], [])));
    refused = answers.some((answer) => answer.status === 'rejected' && isRefusedWrite(answer.reason));
  };
  const timer = setInterval(() => void ask(), ASK_MS);
  const onReady = () => void ask();
  redis.on('ready', onReady);
  onReady();
  return {
    get refused() {
      return refused;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      redis.off('ready', onReady);
    },
  };
}
