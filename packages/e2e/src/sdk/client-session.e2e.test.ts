import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FanfareError } from '@fanfare/client';
import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepIn, nothingHeard, openSession, range, TALKATIVE } from './session.ts';

let stack: Stack;
let rooms = 0;

beforeAll(async () => {
  stack = await startStack({ nodes: 2, env: TALKATIVE });
});
afterAll(() => stack[Symbol.asyncDispose]());

const newRoom = (): string => {
  rooms += 1;
  return `project:${rooms}`;
};

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** A way to the cluster on which WebSockets are refused, or swallowed without an answer. */
const startProxy = async (upgrades: 'refused' | 'swallowed') => {
  const server = createServer((req, res) => {
    const { method, headers } = req;
    const onward = httpRequest(new URL(req.url ?? '/', stack.url), { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  const open = new Set<AsyncDisposable | { destroy(): void }>();
  server.on('upgrade', (_req, socket) => {
    open.add(socket);
    if (upgrades === 'refused') socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      for (const socket of open) if ('destroy' in socket) socket.destroy();
      server.close();
    },
  };
};

describe('the token of a session', () => {
  it('is asked for once and used again for a reconnect', async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      return stack.issueToken({});
    };
    using session = openSession(stack, { token });
    await session.connected();
    session.client.socket.emit('test:cut');
    await session.status('waiting');
    await session.connected();
    expect(asked).toBe(1);
  });

  it('is asked for anew after the client was closed: it may be another user who comes back', async () => {
    let user = 'alice';
    using session = openSession(stack, { token: () => stack.issueToken({ sub: user }) });
    using listener = openSession(stack);
    const room = newRoom();
    const heard = nothingHeard();
    await listener.client.join(room, keepIn(heard).handlers).joined();
    await session.client.publish(room, 'test:told', 1);
    session.client.close();
    user = 'bob';
    session.client.connect();
    await session.client.publish(room, 'test:told', 2);
    await eventually(() => expect(heard.metas.map(({ from }) => from)).toEqual(['alice', 'bob']));
  });

  it('is asked for again before it expires, and the session loses nothing', async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      return stack.issueToken({ exp: inSeconds(asked === 1 ? 4 : 3600) });
    };
    using listener = openSession(stack, { token });
    using publisher = openSession(stack);
    const room = newRoom();
    const heard = nothingHeard();
    const { handlers, onReset } = keepIn(heard);
    await listener.client.join(room, handlers, { onReset }).joined();
    const names = () => listener.asked.map(({ name }) => name);
    let told = 0;
    while (!names().includes('token:refresh')) {
      told += 1;
      await publisher.client.publish(room, 'test:told', told);
    }
    await publisher.client.publish(room, 'test:told', told + 1);
    await eventually(() => expect(heard.told).toEqual(range(1, told + 1)));
    expect(asked).toBe(2);
    expect(heard.resets).toEqual([]);
    await listener.connected();
  });

  it('is offered to the gateway, and opens the rooms again that the last one had closed', async () => {
    using listener = openSession(stack, { token: () => stack.issueToken({}) });
    const room = newRoom();
    const heard = nothingHeard();
    const { handlers, onReset } = keepIn(heard);
    const handle = listener.client.join(room, handlers, { onReset });
    await handle.joined();
    const { socket } = listener.client;
    const session = socket.id;
    await socket.emitWithAck('room:leave', { room });
    await socket.emitWithAck('test:tell', [['room:left', { room, reason: 'token_expired' }]]);
    expect(handle).toMatchObject({ state: 'left', error: { message: 'token_expired' } });
    await listener.client.publish(room, 'test:told', 1);

    await socket.emitWithAck('test:tell', [['session:expiring', { inMs: 25_000 }]]);
    await eventually(() => expect(heard.told).toEqual([1]));
    expect(handle.state).toBe('joined');
    expect(socket.id).toBe(session);
    expect(heard.resets).toEqual([]);
  });

  it('is asked for again when a gateway says that it has expired', async () => {
    const given = [inSeconds(-10), inSeconds(3600)];
    const tokens: number[] = [];
    const token = () => {
      const exp = given[tokens.length] ?? 0;
      tokens.push(exp);
      return stack.issueToken({ exp });
    };
    using session = openSession(stack, { token });
    expect((await session.status('waiting')).error).toMatchObject({ code: 'token_expired' });
    await session.connected();
    expect(tokens).toEqual(given);
  });

  it('that is fixed and has expired ends the session with the reason', async () => {
    using session = openSession(stack, { token: await stack.issueToken({ exp: inSeconds(-10) }) });
    await eventually(() => expect(session.client.state.error).toBeDefined());
    expect(session.client.state).toMatchObject({
      status: 'closed',
      error: { code: 'token_expired', retryable: false },
    });
    await expect(session.client.publish(newRoom(), 'test:told', 1)).rejects.toMatchObject({
      code: 'token_expired',
    });
  });

  it('that cannot be fetched is asked for again, unless the app says that there will be none', async () => {
    const answers = [
      () => Promise.reject(new Error('offline')),
      () => stack.issueToken({}),
      () => Promise.reject(new FanfareError('token_missing', 'Signed out')),
    ];
    const token = () => answers.shift()?.() ?? Promise.reject(new Error('asked too often'));
    using session = openSession(stack, { token });
    expect((await session.status('waiting')).error).toMatchObject({ code: 'unavailable' });
    await session.connected();
    const { socket } = session.client;
    socket.emit('test:tell', [['session:expiring', { inMs: 1000 }]], () => undefined);
    expect(await session.status('closed')).toMatchObject({
      error: { code: 'token_missing', message: 'Signed out' },
    });
    expect(answers).toEqual([]);
  });
});

describe('a gateway that is going away', () => {
  it('is left by itself within the time that it gives, without a loss', async () => {
    using listener = openSession(stack);
    const room = newRoom();
    const heard = nothingHeard();
    const { handlers, onReset } = keepIn(heard);
    await listener.client.join(room, handlers, { onReset }).joined();
    const { socket } = listener.client;
    const first = socket.id;
    const closing = ['session:closing', { reason: 'draining', reconnect: true, inMs: 300 }];
    await socket.emitWithAck('test:tell', [closing]);
    await eventually(() => {
      expect(socket.connected).toBe(true);
      expect(socket.id).not.toBe(first);
    });
    await listener.client.publish(room, 'test:told', 1);
    await eventually(() => expect(heard.told).toEqual([1]));
    expect(heard.resets).toEqual([]);
  });

  it('because too much was asked of it is come back to as late as after a failure', async () => {
    using session = openSession(stack, { backoff: { delayMs: 10_000 } });
    await session.connected();
    const closing = ['session:closing', { reason: 'rate_limited', reconnect: true, inMs: 0 }];
    await session.client.socket.emitWithAck('test:tell', [closing]);
    session.client.socket.emit('test:cut');
    const { retryAt = 0 } = await session.status('waiting');
    expect(retryAt - Date.now()).toBeGreaterThan(4000);
  });

  it('and will have no successor is not come back to', async () => {
    using session = openSession(stack);
    await session.connected();
    const closing = ['session:closing', { reason: 'revoked', reconnect: false, inMs: 0 }];
    await session.client.socket.emitWithAck('test:tell', [closing]);
    session.client.socket.emit('test:cut');
    expect(await session.status('closed')).toMatchObject({ error: { code: 'closed', message: 'revoked' } });
  });

  it('is replaced when it stops, and what was asked of it is done once', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const room = newRoom();
    const heard = nothingHeard();
    const { handlers, onReset } = keepIn(heard);
    await listener.client.join(room, handlers, { onReset }).joined();
    const node = stack.nodes.find(({ id }) => id === listener.node);
    const publishing = range(1, 100).map((n) => listener.client.publish(room, 'test:told', n));
    node?.process.kill('SIGTERM');
    const more = range(101, 200).map((n) => listener.client.publish(room, 'test:told', n));
    await Promise.all([...publishing, ...more]);
    await eventually(() => expect(heard.told).toHaveLength(200), { timeoutMs: 10_000 });
    expect([...heard.told].sort((a, b) => a - b)).toEqual(range(1, 200));
    expect(heard.metas.map(({ offset }) => offset)).toEqual(range(1, 200));
    expect(heard.resets).toEqual([]);
    await node?.process.exited;
    await stack.startNode(node?.id);
  });
});

describe('a way to the cluster without WebSockets', () => {
  it.each(['refused', 'swallowed'] as const)(
    'that are %s is gone by long-polling (row 13)',
    async (upgrades) => {
      using proxy = await startProxy(upgrades);
      using session = openSession(stack, { url: proxy.url, socketOptions: { timeout: 500 } });
      const room = newRoom();
      const heard = nothingHeard();
      await session.client.join(room, keepIn(heard).handlers).joined();
      await session.client.publish(room, 'test:told', 1);
      await eventually(() => expect(heard.told).toEqual([1]));
      expect(session.client.socket.io.engine.transport.name).toBe('polling');
    },
  );
});
