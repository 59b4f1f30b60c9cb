import { connect } from 'node:net';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { eventually, freePort, ManagedProcess, RedisServer } from '@fanfare/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const KEY = 'k3y-of-billing-0001';
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
const body = JSON.stringify({ room: 'project:42', event: 'task:created', data: { id: 7 } });

const listening = z.object({ msg: z.literal('listening'), port: z.int(), opsPort: z.int() });

/** The real program. */
const startApi = async (redisUrl: string, env: Readonly<Record<string, string>> = {}) => {
  const child = await ManagedProcess.start({
    name: 'api',
    command: execPath,
    args: ['--conditions=source', MAIN],
    env: {
      FANFARE_HOST: '127.0.0.1',
      FANFARE_PORT: '0',
      FANFARE_OPS_HOST: '127.0.0.1',
      FANFARE_OPS_PORT: '0',
      FANFARE_API_KEYS: `billing:${KEY}`,
      REDIS_URL: redisUrl,
      ...env,
    },
  });
  const line = await child.waitForLine((text) => text.includes('"listening"'));
  const { port, opsPort } = listening.parse(JSON.parse(line));
  const readiness = async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).json();
  return {
    process: child,
    port,
    publish: () => fetch(`http://127.0.0.1:${port}/v1/publish`, { method: 'POST', headers, body }),
    cluster: () => fetch(`http://127.0.0.1:${port}/v1/cluster`, { headers }),
    readiness,
    metrics: async () => (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text(),
    untilReady: () => eventually(async () => expect(await readiness()).toEqual({ ready: true, reasons: [] })),
    [Symbol.asyncDispose]: async () => {
      await child.stop();
    },
  };
};

const FULL = { ready: false, reasons: ['redis: takes no writes, it may be full'] };
const AWAY = { ready: false, reasons: ['redis: publish and subscribe do not both work'] };

describe('an api process with a Redis', () => {
  it('is ready and publishes while Redis is there, and says so when it is not', async () => {
    await using redis = await RedisServer.start();
    await using api = await startApi(redis.url);
    await api.untilReady();
    expect((await api.publish()).status).toBe(200);

    await redis.stop();
    await eventually(async () => expect(await api.readiness()).toEqual(AWAY));
    expect((await api.publish()).status).toBe(503);
    expect((await api.cluster()).status).toBe(503);

    await redis.restart();
    await api.untilReady();
    expect((await api.publish()).status).toBe(200);
    expect(await (await api.cluster()).json()).toEqual({
      mode: 'redis',
      connections: 0,
      users: 0,
      nodes: [],
      warnings: [
        'no gateway is alive: nobody hears what is published',
        expect.stringContaining('Set "appendonly yes"'),
        expect.stringContaining('Set "proto-max-bulk-len 8mb"'),
      ],
    });
  });

  it('publishes and is ready while the database of its outbox is away, and says so', async () => {
    await using redis = await RedisServer.start();
    const nowhere = `postgres://127.0.0.1:${await freePort()}/none`;
    await using api = await startApi(redis.url, { FANFARE_OUTBOX_DATABASE_URL: nowhere });
    await eventually(async () =>
      expect(await api.readiness()).toEqual({
        ready: true,
        reasons: [],
        warnings: [expect.stringContaining('outbox: connect ECONNREFUSED')],
      }),
    );
    expect((await api.publish()).status).toBe(200);
  });

  it('says that a Redis that is full takes no writes, until it does again', async () => {
    await using redis = await RedisServer.start();
    await using api = await startApi(redis.url);
    await api.untilReady();
    await redis.ask('CONFIG SET maxmemory 1');
    await eventually(async () => expect(await api.readiness()).toEqual(FULL));
    expect((await api.publish()).status).toBe(503);
    await redis.ask('CONFIG SET maxmemory 0');
    await api.untilReady();
    expect((await api.publish()).status).toBe(200);
  });

  it('counts garbage on its channels one by one, and logs it as a sum', async () => {
    await using redis = await RedisServer.start();
    await using api = await startApi(redis.url);
    await api.untilReady();
    const summed = api.process.waitForLine((text) => text.includes('invalid bus messages ignored'));
    for (let i = 0; i < 100; i += 1) await redis.ask('PUBLISH fanfare:missed garbage');
    await eventually(async () =>
      expect(await api.metrics()).toMatch(/^fanfare_bus_invalid_messages_total\{.*\} 100$/m),
    );
    expect(await summed).toContain('"times":1');
    // Of the first at once, and of the others ten seconds later.
    expect(api.process.output.split('invalid bus message').length - 1).toBeLessThanOrEqual(2);
  });

  it('warns at its start of a Redis that may lose events', async () => {
    await using redis = await RedisServer.start();
    await using api = await startApi(redis.url);
    await api.process.waitForLine((text) => text.includes('Set \\"appendonly yes\\"'));
  });

  it('starts without Redis and is ready when it comes', async () => {
    const port = await freePort();
    await using api = await startApi(`redis://127.0.0.1:${port}`);
    expect(await api.readiness()).toEqual(AWAY);
    await using _redis = await RedisServer.start({ port });
    await api.untilReady();
    expect((await api.publish()).status).toBe(200);
  });

  it('finishes what is under way on SIGTERM and exits with 0', async () => {
    await using redis = await RedisServer.start();
    await using api = await startApi(redis.url);
    await api.untilReady();
    await using client = await sendHalf(api.port);
    api.process.kill('SIGTERM');
    await eventually(async () =>
      expect(await api.readiness()).toEqual({ ready: false, reasons: ['draining'] }),
    );
    await expect(api.publish()).rejects.toThrow();

    expect(await client.finish()).toMatch(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)+\r\n\{"results":/);
    expect(await api.process.exited).toEqual({ code: 0, signal: null });
  });

  it('exits with 0 on SIGTERM while Redis is away', async () => {
    await using api = await startApi(`redis://127.0.0.1:${await freePort()}`);
    expect(await api.process.stop()).toEqual({ code: 0, signal: null });
  });
});

/** A publish whose second half is still to come; the server has seen the first. */
const sendHalf = async (port: number) => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const chunks: string[] = [];
  const whole = new Promise<string>((resolve, reject) => {
    socket.on('data', (chunk) => chunks.push(String(chunk)));
    socket.once('end', () => resolve(chunks.join('')));
    socket.once('error', reject);
  });
  const head = Object.entries({
    ...headers,
    host: 'api',
    expect: '100-continue',
    'content-length': body.length,
  });
  socket.write(`POST /v1/publish HTTP/1.1\r\n${head.map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n`);
  await eventually(() => expect(chunks.join('')).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
  chunks.length = 0;
  socket.write(body.slice(0, 10));
  return {
    finish: () => {
      socket.write(body.slice(10));
      return whole;
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  };
};
