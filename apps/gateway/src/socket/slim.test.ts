import { EventEmitter } from 'node:events';
import { createServer, IncomingMessage } from 'node:http';
import { listenOn } from '@fanfare/runtime';
import { nextEvent } from '@fanfare/testing';
import { Server } from 'socket.io';
import { Manager } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayServer, GatewaySocket } from './server.ts';
import { forgetHandshakes, slimSocket } from './slim.ts';

let stack: AsyncDisposableStack;
let io: GatewayServer;
let manager: Manager;
let url: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const http = createServer();
  io = stack.adopt(new Server(http), (server) => server.close());
  io.of('/second');
  const port = await listenOn(http, { host: '127.0.0.1', port: 0, setting: 'test' });
  url = `http://127.0.0.1:${port}`;
  manager = stack.adopt(
    new Manager(url, { transports: ['websocket'], query: { tenant: '7' } }),
    (own) => void own.engine.close(),
  );
});
afterEach(() => stack.disposeAsync());

/** The server's side of a new socket in a namespace; it is what it is before any listener has seen it. */
const connect = async (name: string): Promise<GatewaySocket> => {
  const { promise, resolve } = Promise.withResolvers<GatewaySocket>();
  io.of(name).once('connection', resolve);
  manager.socket(name);
  return promise;
};

const emittersOf = ({ conn }: GatewaySocket): EventEmitter[] => {
  const webSocket: unknown = Reflect.get(conn.transport, 'socket');
  if (!(webSocket instanceof EventEmitter)) throw new Error('a WebSocket was expected');
  return [conn, conn.transport, webSocket];
};

const countListeners = (socket: GatewaySocket): Record<string, number>[] =>
  [socket, ...emittersOf(socket)].map((emitter) =>
    Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)])),
  );

describe('a slim socket', () => {
  it('listens to what it did before, but for two listeners that are spent', async () => {
    const socket = await connect('/');
    const before = countListeners(socket);
    slimSocket(socket);
    const [own, connection, transport, webSocket] = before;
    const { headers, ...ofTransport } = transport ?? {};
    expect(headers).toBe(1);
    expect(webSocket?.error).toBe(2);
    expect(countListeners(socket)).toEqual([own, connection, ofTransport, { ...webSocket, error: 1 }]);
  });

  it('is not changed by a second namespace on its connection', async () => {
    slimSocket(await connect('/'));
    const second = await connect('/second');
    const before = countListeners(second);
    slimSocket(second);
    expect(countListeners(second)).toEqual(before);
  });

  it('takes and loses listeners, hears events, and tells why it ended', async () => {
    const socket = await connect('/');
    slimSocket(socket);
    const heard: unknown[] = [];
    const listener = (value: unknown) => heard.push(value);
    socket.once('toString', listener);
    socket.on('twice', listener);
    const client = manager.socket('/');
    client.emit('toString', 1).emit('toString', 2).emit('twice', 3);
    await nextEvent(socket, 'twice');
    socket.off('twice', listener);
    client.emit('twice', 4).emit('last');
    await nextEvent(socket, 'last');
    expect(heard).toEqual([1, 3]);

    const ended = nextEvent(socket, 'disconnect');
    manager.engine.close();
    expect((await ended)[0]).toBe('transport close');
    expect(io.engine.clientsCount).toBe(0);
  });

  it('survives an error of its WebSocket and closes', async () => {
    const socket = await connect('/');
    slimSocket(socket);
    const ended = nextEvent(socket, 'disconnect');
    emittersOf(socket)[2]?.emit('error', new Error('a frame that is none'));
    expect((await ended)[0]).toBe('transport error');
  });
});

describe('a forgotten handshake', () => {
  it('holds neither the request nor the token', async () => {
    const socket = await connect('/');
    socket.handshake.auth = { token: 'abc' };
    forgetHandshakes()(socket);
    expect(socket.request).not.toBeInstanceOf(IncomingMessage);
    expect(socket.handshake.auth).toEqual({});
  });

  it('is in all else what stock has, for the next namespace of its connection too (row 20)', async () => {
    const forget = forgetHandshakes();
    const first = await connect('/');
    const { time: _, issued: __, ...stock } = structuredClone(first.handshake);
    delete stock.headers['sec-websocket-key'];
    forget(first);
    expect(first.handshake).toMatchObject(stock);
    const second = await connect('/second');
    expect(second.handshake).toMatchObject(stock);
    forget(second);
    expect(second.handshake).toMatchObject(stock);
    expect(stock).toMatchObject({
      query: { tenant: '7', EIO: '4' },
      secure: false,
      address: expect.any(String),
    });
  });

  it('shares its headers with that of a connection that sent the same ones', async () => {
    const forget = forgetHandshakes();
    const headersOf = async (extraHeaders: Record<string, string>) => {
      const { promise, resolve } = Promise.withResolvers<GatewaySocket>();
      io.of('/').once('connection', resolve);
      const other = new Manager(url, { transports: ['websocket'], extraHeaders });
      stack.defer(() => void other.engine.close());
      other.socket('/');
      const socket = await promise;
      forget(socket);
      return socket.handshake.headers;
    };
    const first = await headersOf({ 'user-agent': 'phone' });
    expect(await headersOf({ 'user-agent': 'phone' })).toBe(first);
    const third = await headersOf({ 'user-agent': 'desk', cookie: 'a=b' });
    expect(third).toMatchObject({ 'user-agent': 'desk', cookie: 'a=b' });
    expect(first).toMatchObject({ 'user-agent': 'phone' });
    expect(first).not.toHaveProperty('cookie');
  });
});
