import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { DROPPED_REPLIES, FaultProxy, HALF_OPEN } from './fault-proxy.ts';

/** A server that says every chunk back, behind a proxy. */
const startEcho = async (stack: AsyncDisposableStack) => {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard.push(chunk.toString());
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  // `address()` is a string for a pipe only.
  const { port } = server.address() as AddressInfo;
  const proxy = stack.use(await FaultProxy.start({ to: { port } }));
  return { proxy, heard };
};

const open = async (stack: AsyncDisposableStack, proxy: FaultProxy) => {
  const socket = connect(proxy.port, '127.0.0.1');
  const replies: string[] = [];
  const ended = Promise.withResolvers<string>();
  socket.on('data', (chunk) => replies.push(chunk.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => ended.resolve(error.code ?? error.message));
  socket.on('close', () => ended.resolve('closed'));
  stack.defer(() => {
    socket.destroy();
  });
  await new Promise((settled) => socket.once('connect', settled).once('close', settled));
  const ask = async (text: string) => {
    const already = replies.join('').length;
    socket.write(text);
    await eventually(() => expect(replies.join('').slice(already)).toBe(text));
  };
  return { socket, replies, ask, ended: ended.promise };
};

test('a link without faults passes everything, counts it per direction and connection, and its end', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy } = await startEcho(stack);
  const client = await open(stack, proxy);
  await client.ask('hello');
  expect(proxy.bytes).toEqual({ toServer: 5, toClient: 5 });
  const other = await open(stack, proxy);
  await other.ask('x'.repeat(300_000));
  expect(proxy.connections.map(({ opening, bytes }) => [opening.slice(0, 5), bytes.toClient])).toEqual([
    ['hello', 5],
    ['xxxxx', 300_000],
  ]);
  client.socket.end();
  expect(await client.ended).toBe('closed');
});

test('latency delays both ways and keeps the order', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy } = await startEcho(stack);
  const client = await open(stack, proxy);
  proxy.set({ toServer: { latencyMs: 60, jitterMs: 40 }, toClient: { latencyMs: 60 } });
  const startedAt = performance.now();
  await client.ask('a'.repeat(100_000) + 'b'.repeat(100_000));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(118);
});

test('a bandwidth cap takes the time that the bytes need', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy } = await startEcho(stack);
  const client = await open(stack, proxy);
  proxy.set({ toClient: { bytesPerSecond: 1_000_000 } });
  const startedAt = performance.now();
  await client.ask('x'.repeat(200_000));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
});

test('a half-open link is silent and stays connected, and what was held back comes when it heals', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy, heard } = await startEcho(stack);
  const client = await open(stack, proxy);
  await client.ask('before');
  proxy.set(HALF_OPEN);
  client.socket.write('during');
  const other = await open(stack, proxy);
  other.socket.write('new');
  const witness = await startEcho(stack);
  await (await open(stack, witness.proxy)).ask('a round trip elsewhere');
  expect(heard).toEqual(['before']);
  proxy.heal();
  await eventually(() => expect(client.replies.join('')).toBe('beforeduring'));
  await eventually(() => expect(other.replies).toEqual(['new']));
});

test('faults can be for the connections only that open with certain words', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy, heard } = await startEcho(stack);
  proxy.set({ ...HALF_OPEN, only: (opening) => opening.startsWith('sub') });
  const [sub, pub] = [await open(stack, proxy), await open(stack, proxy)];
  await pub.ask('pub');
  sub.socket.write('sub');
  await eventually(() => expect(proxy.connections.map(({ opening }) => opening)).toContain('sub'));
  expect(sub.replies).toEqual([]);
  expect(heard[0]).toBe('pub');
  expect(proxy.cut((opening) => opening.startsWith('sub'))).toBe(1);
  expect(await sub.ended).toBe('ECONNRESET');
  await pub.ask('still there');
});

test('dropped replies: the server hears the request, the client hears nothing, then a reset', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy, heard } = await startEcho(stack);
  const client = await open(stack, proxy);
  proxy.set(DROPPED_REPLIES);
  client.socket.write('order');
  await eventually(() => expect(proxy.bytes.toClient).toBe(5));
  proxy.cut();
  expect(await client.ended).toBe('ECONNRESET');
  expect({ heard, replies: client.replies }).toEqual({ heard: ['order'], replies: [] });
});

test('refused connections are reset, also when the server is not there, and work again when it heals', async () => {
  await using stack = new AsyncDisposableStack();
  const { proxy } = await startEcho(stack);
  proxy.set({ refuse: true });
  const refused = await open(stack, proxy);
  expect(await refused.ended).toBe('ECONNRESET');
  proxy.heal();
  await (await open(stack, proxy)).ask('welcome');

  const nowhere = stack.use(await FaultProxy.start({ to: { port: 1 } }));
  expect(await (await open(stack, nowhere)).ended).toBe('ECONNRESET');
});
