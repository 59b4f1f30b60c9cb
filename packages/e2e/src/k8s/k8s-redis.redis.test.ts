import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findBinary, freePort, ManagedProcess, REDIS } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { bytes } from './checks/pods.ts';
import { environmentOf, SAMPLE_SECRETS } from './checks/settings.ts';
import { mountedFiles } from './files.ts';
import { clusterOf, OVERLAYS, type Overlay, workloadOf } from './overlays.ts';

/** The command of the pod with its files, on this machine's address and in a folder of its own. */
async function startAsInPod(overlay: Overlay) {
  await using stack = new AsyncDisposableStack();
  const cluster = await clusterOf(overlay);
  const pod = workloadOf(cluster, 'redis');
  const [container] = pod.spec.template.spec.containers;
  if (!container) throw new Error('Redis has no container');
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-k8s-redis-'));
  stack.defer(() => rm(dir, { recursive: true }));
  const port = await freePort();
  for (const [path, { text = '' }] of mountedFiles(cluster, pod, container)) {
    const local = text
      .replace(/^bind .+/m, 'bind 127.0.0.1')
      .replace(/^port \d+/m, `port ${port}`)
      .replace(/^dir .+/m, `dir ${dir}`);
    await writeFile(join(dir, basename(path)), local);
  }
  const [shell = '', ...options] = container.command;
  await writeFile(join(dir, 'redis-server'), `#!/bin/sh\nexec ${await findBinary(REDIS)} "$@"\n`, {
    mode: 0o755,
  });
  const process = stack.use(
    await ManagedProcess.start({
      command: shell,
      args: options.map((text) => text.replace('/etc/redis', dir)),
      env: { ...environmentOf(cluster, pod, container), PATH: `${dir}:/usr/bin:/bin` },
    }),
  );
  await process.waitForLine((line) => line.includes('Ready to accept connections'));
  const owned = stack.move();
  return {
    process,
    limitBytes: bytes(container.resources.limits?.memory ?? ''),
    connect: (username?: string) => {
      const retryStrategy = () => null;
      const login = username && { username, password: SAMPLE_SECRETS[`redis-${username}-password`] ?? '' };
      const client = new Redis({ port, lazyConnect: true, retryStrategy, ...login });
      // Without a password the greeting already fails; the commands say so too.
      client.on('error', () => undefined);
      owned.defer(() => client.disconnect());
      return client;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test.each(OVERLAYS)(
  "the overlay %s's Redis keeps its file, knows its users and nobody else, and obeys SIGTERM",
  async (overlay) => {
    await using redis = await startAsInPod(overlay);
    await expect(redis.connect().set('key', 'value')).rejects.toThrow(/NOAUTH/);

    await redis.connect('gateway').set('{fanfare:test}', 'value');
    await expect(redis.connect('api').set('{fanfare:nodes}:x', 'value')).rejects.toThrow(/NOPERM/);
    const client = redis.connect('operator');
    const [, maxmemory] = await client.config('GET', 'maxmemory');
    const [, appendonly] = await client.config('GET', 'appendonly');
    expect(appendonly).toBe('yes');
    expect(Number(maxmemory)).toBeGreaterThan(0);
    expect(redis.limitBytes).toBeGreaterThanOrEqual(2 * Number(maxmemory));
    expect(await redis.process.stop()).toEqual({ code: 0, signal: null });
  },
);
