import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@fanfare/client';
import { type Stack, startStack } from '@fanfare/local';
import { eventually, nextEvent } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scrapeAll, total } from '../cluster/metrics.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    nodes: 2,
    env: {
      FANFARE_LIMIT_IP_SOCKETS: '4',
      FANFARE_LIMIT_SOCKET_JOINS: '1/1',
      FANFARE_LIMIT_USER_SOCKETS: '1',
      FANFARE_LIMITS_DRY_RUN: 'user_sockets',
    },
  });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const connect = async (url: string): Promise<Socket & Disposable> => {
  const socket = io(url, { auth: { token: stack.token }, transports: ['websocket'], forceNew: true });
  await nextEvent(socket, 'connect');
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.disconnect() });
};

const publish = async (n: number): Promise<void> => {
  const response = await fetch(`${stack.url}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ room: 'project:1', event: 'task:created', data: n }),
  });
  expect(response.status).toBe(200);
};

const limited = async (limit: string, outcome: string): Promise<number> =>
  total(await scrapeAll(stack.nodes), 'fanfare_limited_total', { limit, outcome });

describe('one client that sends 10,000 events a second', () => {
  it('is cut off within 2 s, while another on its node hears everything (G5)', async () => {
    const [node] = stack.nodes;
    if (node === undefined) throw new Error('no node');
    using healthy = await connect(node.url);
    using abuser = await connect(node.url);
    abuser.io.reconnection(false);
    await healthy.emitWithAck('room:join', { room: 'project:1' });
    const heard: number[] = [];
    healthy.on('task:created', (n: number) => heard.push(n));
    const told = nextEvent(abuser, 'session:closing');
    const startedAt = performance.now();
    const gone = nextEvent(abuser, 'disconnect').then(() => performance.now() - startedAt);
    const flood = async () => {
      while (abuser.connected) {
        for (let n = 0; n < 1000; n += 1) {
          abuser.emit('room:signal', { room: 'project:1', event: 'cursor:moved', data: n }, () => undefined);
        }
        // A rate is time.
        await delay(100);
      }
    };
    const flooding = flood();
    for (let n = 0; n < 50; n += 1) await publish(n);
    expect(await told).toEqual([{ reason: 'rate_limited', reconnect: true, inMs: 0 }]);
    expect(await gone).toBeLessThan(2000);
    await flooding;
    await eventually(() => expect(heard).toEqual(Array.from({ length: 50 }, (_, n) => n)));
    expect(await limited('socket_events', 'refused')).toBeGreaterThan(100);
    expect(await limited('socket_refusals', 'cut')).toBe(1);
  });
});

it('a client of ours that is told when to ask again asks then, and not sooner', async () => {
  const [node] = stack.nodes;
  const client = createClient({
    url: node?.url ?? '',
    token: () => stack.issueToken({ sub: 'ann' }),
    backoff: { delayMs: 10 },
  });
  using _ = { [Symbol.dispose]: () => client.close() };
  await client.join('project:2', () => undefined).joined();
  await client.join('project:3', () => undefined).joined();
  // With nothing but its own delays it would have asked half a dozen times.
  expect(await limited('socket_joins', 'refused')).toBeOneOf([1, 2]);
});

describe('behind nginx', () => {
  /** A new session from an address of this machine, which claims to be somebody else. */
  const open = async (localAddress: string): Promise<number | undefined> => {
    const sent = request(`${stack.url}/socket.io/?EIO=4&transport=polling`, {
      localAddress,
      headers: { 'x-forwarded-for': `203.0.113.${Math.floor(performance.now()) % 250}` },
    }).end();
    const [response]: [IncomingMessage] = (await once(sent, 'response')) as [IncomingMessage]; // from http
    response.resume();
    return response.statusCode;
  };

  it('the limit of an address is that of the client, and leaves other addresses alone', async () => {
    for (const address of ['127.0.0.31', '127.0.0.32']) {
      const statuses = await Promise.all(Array.from({ length: 20 }, () => open(address)));
      // Each node counts for itself.
      expect(statuses.filter((status) => status === 200)).toHaveLength(4 * stack.nodes.length);
      expect(statuses.filter((status) => status === 409)).toHaveLength(20 - 4 * stack.nodes.length);
    }
  });

  it('a limit in a dry run lets everybody in and counts them', async () => {
    using _first = await connect(stack.nodes[1]?.url ?? '');
    using _second = await connect(stack.nodes[1]?.url ?? '');
    expect(await limited('user_sockets', 'dry_run')).toBeGreaterThan(0);
    expect(await limited('user_sockets', 'refused')).toBe(0);
  });
});
