import type { NodeReport } from '@fanfare/protocol';
import { eventually, RedisServer } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus } from '../bus/bus.ts';
import { connectRedis, type RedisLink } from '../redis/link.ts';
import { redisUrl } from '../redis/url.ts';
import { probeBus } from './probe.ts';
import { holdLease, listNodes } from './registry.ts';

let stack: AsyncDisposableStack;
let redis: RedisServer;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisServer.start());
});
afterAll(() => stack.disposeAsync());

const ignore = () => undefined;
const observer = {
  publishDropped: ignore,
  missed: ignore,
  invalidMessage: ignore,
  partialAnswer: ignore,
  roomReset: ignore,
};

const link = (): RedisLink =>
  stack.use(connectRedis({ target: redisUrl.parse(redis.url), name: 'test', onChange: () => undefined }));

const linkOf = (links: readonly RedisLink[], i: number): RedisLink => {
  const found = links[i];
  if (found === undefined) throw new RangeError(`no link ${i}`);
  return found;
};

const report = (node: string, incarnation: string, connections = 0): NodeReport => ({
  node,
  worker: '0',
  incarnation,
  version: '0.1.0',
  startedAt: 1,
  connections,
  users: 0,
  receivedPerSecond: 0,
  sentPerSecond: 0,
});

const hold = (options: {
  on: RedisLink;
  node: string;
  incarnation: string;
  onSuperseded?: () => void;
  onEmptied?: () => void;
}) =>
  stack.use(
    holdLease({
      redis: options.on.pub,
      report: () => report(options.node, options.incarnation),
      onSuperseded: options.onSuperseded ?? ignore,
      onEmptied: options.onEmptied ?? ignore,
    }),
  );

const listed = async (from: RedisLink): Promise<string[]> =>
  (await listNodes(from.pub)).map(({ node, incarnation }) => `${node}/${incarnation}`).sort();

describe('the registry of nodes', () => {
  it('lists a node from its first heartbeat until it leaves', async () => {
    const [one, two] = [link(), link()];
    const lease = hold({ on: one, node: 'n1', incarnation: 'x' });
    hold({ on: two, node: 'n2', incarnation: 'y' });
    await eventually(async () => expect(await listed(one)).toEqual(['n1/x', 'n2/y']));
    await lease[Symbol.asyncDispose]();
    expect(await listed(two)).toEqual(['n2/y']);
  });

  it('gives a node id to its latest incarnation at once and tells the earlier one', async () => {
    const [one, two] = [link(), link()];
    const onSuperseded = vi.fn();
    const earlier = hold({ on: one, node: 'n3', incarnation: 'old', onSuperseded });
    await eventually(async () => expect(await listed(one)).toContain('n3/old'));
    hold({ on: two, node: 'n3', incarnation: 'new' });
    await eventually(async () => expect(await listed(one)).toContain('n3/new'));
    expect(await listed(one)).not.toContain('n3/old');
    await eventually(() => expect(onSuperseded).toHaveBeenCalledOnce());
    expect(earlier.superseded).toBe(true);
    await earlier[Symbol.asyncDispose]();
    expect(await listed(one)).toContain('n3/new');
  });

  it('tells every process once that Redis has lost everything, though no connection broke', async () => {
    const server = stack.use(await RedisServer.start());
    const links = [server, server].map(({ url }) =>
      stack.use(connectRedis({ target: redisUrl.parse(url), name: 'test', onChange: ignore })),
    );
    const told = links.map((on, i) => {
      const onEmptied = vi.fn();
      hold({ on, node: `n${i}`, incarnation: 'x', onEmptied });
      return onEmptied;
    });
    const assertListed = async () => expect(await listed(linkOf(links, 0))).toEqual(['n0/x', 'n1/x']);
    await eventually(assertListed);
    await linkOf(links, 0).pub.flushall();
    await eventually(() => {
      for (const onEmptied of told) expect(onEmptied).toHaveBeenCalledOnce();
    });
    await assertListed();
  });

  it('says that a Redis that is full takes no writes, until it does again', async () => {
    const server = stack.use(await RedisServer.start());
    const on = stack.use(
      connectRedis({ target: redisUrl.parse(server.url), name: 'test', onChange: ignore }),
    );
    const lease = hold({ on, node: 'n9', incarnation: 'x' });
    await eventually(async () => expect(await listed(on)).toEqual(['n9/x']));
    expect(lease.refused).toBe(false);
    await on.pub.call('CONFIG', 'SET', 'maxmemory', '1');
    await eventually(() => expect(lease.refused).toBe(true));
    await on.pub.call('CONFIG', 'SET', 'maxmemory', '0');
    await eventually(() => expect(lease.refused).toBe(false));
  });

  it('forgets a node that went without a word when its lease ends', async () => {
    const [one, two] = [link(), link()];
    hold({ on: one, node: 'n4', incarnation: 'x' });
    await eventually(async () => expect(await listed(two)).toContain('n4/x'));
    await one[Symbol.asyncDispose]();
    await eventually(async () => expect(await listed(two)).not.toContain('n4/x'), { timeoutMs: 10_000 });
  });
});

/** A probe that is healthy, on a server of its own. */
const startProbe = async (own: AsyncDisposableStack) => {
  const server = own.use(await RedisServer.start());
  const link = own.use(
    connectRedis({ target: redisUrl.parse(server.url), name: 'test', onChange: () => undefined }),
  );
  const probe = own.use(probeBus({ link, bus: own.use(new Bus(link, observer)), incarnation: 'x' }));
  await eventually(() => expect(probe.healthy).toBe(true));
  return { server, probe };
};

describe('the probe of the bus', () => {
  it('tells a Redis that hangs from one that answers', async () => {
    await using own = new AsyncDisposableStack();
    const { server, probe } = await startProbe(own);
    server.kill('SIGSTOP');
    await eventually(() => expect(probe.healthy).toBe(false), { timeoutMs: 6000 });
    server.kill('SIGCONT');
    await eventually(() => expect(probe.healthy).toBe(true));
  });

  it('is healthy again by itself after Redis was away', async () => {
    await using own = new AsyncDisposableStack();
    const { server, probe } = await startProbe(own);
    await server.stop();
    await eventually(() => expect(probe.healthy).toBe(false));
    await server.restart();
    await eventually(() => expect(probe.healthy).toBe(true));
  });
});
