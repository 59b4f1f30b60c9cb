import { eventually, RedisServer } from '@fanfare/testing';
import { createApi } from '../src/api.ts';
import { loadApiConfig } from '../src/config.ts';

/** Keys of two backends that may do everything. */
export const KEYS = { billing: 'k3y-of-billing-0001', webshop: 'k3y-of-webshop-0002' };

/** A real api in this process, on a Redis of its own, once it is ready; `env` adds settings. */
export async function startApi(
  env: Record<string, string> = {},
): Promise<AsyncDisposable & { redis: RedisServer; url: string }> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const api = stack.use(
    await createApi(
      loadApiConfig({
        FANFARE_HOST: '127.0.0.1',
        FANFARE_PORT: '0',
        FANFARE_OPS_HOST: '127.0.0.1',
        FANFARE_OPS_PORT: '0',
        FANFARE_API_KEYS: `billing:${KEYS.billing},webshop:${KEYS.webshop}`,
        FANFARE_NAMESPACES: '/,/chat',
        REDIS_URL: redis.url,
        LOG_LEVEL: 'silent',
        ...env,
      }),
    ),
  );
  await api.listen();
  await eventually(async () => {
    const { status } = await fetch(`http://127.0.0.1:${api.ports.ops}/readyz`);
    if (status !== 200) throw new Error(`/readyz answers ${status}`);
  });
  const owned = stack.move();
  return {
    redis,
    url: `http://127.0.0.1:${api.ports.http}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
