import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions } from 'socket.io';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { RawSocket, type RawSocketOptions } from './raw-socket.ts';

const listen = async (http: HttpServer): Promise<number> => {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return (http.address() as AddressInfo).port; // a TCP server's address is never a string
};

/** A stock Socket.IO server and clients of the load generator. */
const startServer = async (options: Partial<ServerOptions> = {}) => {
  const http = createServer();
  const io = new Server(http, options);
  const port = await listen(http);
  const sockets: RawSocket[] = [];
  const client = (more: Partial<RawSocketOptions> = {}): RawSocket => {
    const socket = new RawSocket({ host: '127.0.0.1', port, mode: 'socketio', ...more });
    sockets.push(socket);
    return socket;
  };
  return {
    io,
    client,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.close();
      await io.close();
    },
  };
};

describe('RawSocket at a stock Socket.IO server', () => {
  it('connects with its auth and learns the settings of the engine', async () => {
    await using server = await startServer({ pingInterval: 12_345, maxHttpBufferSize: 777 });
    const auth = new Promise((resolve) => {
      server.io.on('connection', (socket) => resolve(socket.handshake.auth));
    });
    const socket = server.client({ auth: { token: 'é"\\' } });
    await socket.open();
    expect(await auth).toEqual({ token: 'é"\\' });
    expect(socket.engine).toMatchObject({ pingInterval: 12_345, maxPayload: 777 });
  });

  it('hears events and gets acks, in a namespace too', async () => {
    await using server = await startServer();
    server.io.of('/chat').on('connection', (socket) => {
      socket.on('double', (value: number, ack: (result: number) => void) => ack(value * 2));
      socket.on('shout', (text: string) => socket.emit('shouted', text.toUpperCase()));
    });
    const heard = Promise.withResolvers<string>();
    const socket = server.client({
      namespace: '/chat',
      onMessage: (payload) => heard.resolve(payload.toString()),
    });
    await socket.open();
    expect(await Promise.all([1, 2, 3].map((n) => socket.emitWithAck('double', n)))).toEqual([2, 4, 6]);
    socket.emit('shout', 'x'.repeat(70_000));
    expect(await heard.promise).toBe(`42/chat,["shouted","${'X'.repeat(70_000)}"]`);
  });

  it('answers pings, so that the server keeps it', async () => {
    await using server = await startServer({ pingInterval: 20, pingTimeout: 5_000 });
    const beats = new Promise<void>((resolve) => {
      server.io.engine.once('connection', (connection: NodeJS.EventEmitter) => {
        let count = 0;
        connection.on('heartbeat', () => ++count === 3 && resolve());
      });
    });
    await server.client().open();
    await beats;
  });

  it('rejects with the reason when a middleware refuses it', async () => {
    await using server = await startServer();
    server.io.use((_, next) => next(new Error('not today')));
    await expect(server.client().open()).rejects.toThrow('not today');
  });

  it('tells when the server ends the connection, and rejects the acks that were waiting', async () => {
    await using server = await startServer();
    server.io.on('connection', (socket) => socket.on('leave', () => socket.disconnect(true)));
    const ended = Promise.withResolvers<string>();
    const socket = server.client({ onEnd: ended.resolve });
    await socket.open();
    await expect(socket.emitWithAck('leave', {})).rejects.toThrow();
    expect(await ended.promise).not.toBe('');
  });

  it('says nothing when it closes itself', async () => {
    await using server = await startServer();
    const gone = new Promise((resolve) => {
      server.io.on('connection', (socket) => socket.on('disconnect', resolve));
    });
    const reasons: string[] = [];
    const socket = server.client({ onEnd: (reason) => reasons.push(reason) });
    await socket.open();
    socket.close();
    await gone;
    expect(reasons).toEqual([]);
  });
});

describe('RawSocket elsewhere', () => {
  it('rejects an answer that is not an upgrade', async () => {
    const http = createServer((_, response) => response.writeHead(503).end('busy'));
    const port = await listen(http);
    await using _ = { [Symbol.asyncDispose]: async () => void http.close() };
    const socket = new RawSocket({ host: '127.0.0.1', port, mode: 'socketio' });
    await expect(socket.open()).rejects.toThrow(/503/);
  });

  it('speaks plain frames to a WebSocket server', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    server.on('connection', (peer) => peer.on('message', (bytes) => peer.send(`heard ${bytes}`)));
    const heard = Promise.withResolvers<string>();
    const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
    const socket = new RawSocket({
      host: '127.0.0.1',
      port,
      mode: 'ws',
      onMessage: (payload) => heard.resolve(payload.toString()),
    });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => void server.close());
    stack.defer(() => socket.close());
    await socket.open();
    socket.send('hello');
    expect(await heard.promise).toBe('heard hello');
  });
});
