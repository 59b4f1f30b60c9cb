import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { RedisCluster } from './redis-cluster.ts';
import { askRedis, fieldsOf } from './redis-command.ts';
import { RedisSentinel } from './redis-sentinel.ts';

/** Writes, and waits until a replica has it: what only the master has dies with it. */
const keep = async (port: number): Promise<void> => {
  expect(await askRedis(port, 'SET some:key kept')).toContain('OK');
  await eventually(
    async () => {
      const { master_repl_offset: own, slave0 = '' } = fieldsOf(await askRedis(port, 'INFO replication'));
      expect(Number(/offset=(\d+)/.exec(slave0)?.[1])).toBeGreaterThanOrEqual(Number(own));
    },
    { timeoutMs: 10_000 },
  );
};

test('a cluster of three masters serves every slot, and a replica takes over from a dead owner', async () => {
  await using cluster = await RedisCluster.start();
  expect(cluster.url).toMatch(/^redis\+cluster:\/\/(127\.0\.0\.1:\d+,){5}127\.0\.0\.1:\d+$/);
  const owner = await cluster.ownerOf('some:key');
  await keep(owner.port);
  owner.kill('SIGKILL');
  await owner.process.exited;
  const successor = await eventually(() => cluster.ownerOf('some:key'), { timeoutMs: 15_000 });
  expect(successor.port).not.toBe(owner.port);
  expect(await askRedis(successor.port, 'GET some:key')).toContain('kept');
});

test('sentinels name another master when the first one dies', async () => {
  await using sentinel = await RedisSentinel.start();
  expect(sentinel.url).toMatch(/^redis\+sentinel:\/\/(127\.0\.0\.1:\d+,){2}127\.0\.0\.1:\d+\/main$/);
  const master = await sentinel.master();
  await keep(master.port);
  master.kill('SIGKILL');
  const successor = await eventually(
    async () => {
      const now = await sentinel.master();
      expect(now.port).not.toBe(master.port);
      return now;
    },
    { timeoutMs: 20_000 },
  );
  await eventually(async () => expect(await askRedis(successor.port, 'GET some:key')).toContain('kept'));
});
