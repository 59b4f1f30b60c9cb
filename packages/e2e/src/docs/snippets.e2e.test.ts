import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadGatewayConfig } from '@fanfare/gateway/config';
import { createGateway } from '@fanfare/gateway/gateway';
import { startStack } from '@fanfare/local';
import { clusterResponse, tokenClaims } from '@fanfare/protocol';
import { eventually, ManagedProcess, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { startBrowser } from '../pages/browser.ts';
import { ROOT } from './documents.ts';
import { fenceWith } from './markdown.ts';

const snippet = async (path: string, language: string, text: string): Promise<string> =>
  fenceWith(await readFile(join(ROOT, path), 'utf8'), language, text);

/** A server of one page on an origin of its own, as a team's app has one. */
const servePage = async (): Promise<AsyncDisposable & { origin: string; html: string }> => {
  const served = { html: '' };
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><body>${served.html}</body>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(served, {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
};

test('README.md: its page, in a browser, hears what its curl line publishes', async () => {
  await using site = await servePage();
  await using stack = await startStack({ nodes: 2, env: { FANFARE_CORS_ORIGINS: site.origin } });
  const fill = (text: string) =>
    text
      .replaceAll('http://localhost:8080', stack.url)
      .replaceAll('TOKEN', stack.token)
      .replaceAll('API_KEY', stack.apiKey);
  site.html = fill(await snippet('README.md', 'html', '<script'));
  await using browser = await startBrowser();
  await using opened = await browser.open('about:blank');
  const said: string[] = [];
  opened.page.on('console', (line) => said.push(line.text()));
  await opened.page.goto(site.origin);
  await eventually(() => expect(said).toEqual(['joined']));

  const line = fill(await snippet('README.md', 'sh', 'curl'));
  await using curl = await ManagedProcess.start({ command: '/bin/sh', args: ['-c', line], name: 'curl' });
  expect(await curl.exited).toEqual({ code: 0, signal: null });
  expect(JSON.parse(curl.output)).toMatchObject({ results: [{ room: 'public:lobby' }] });
  await eventually(() => expect(said).toEqual(['joined', 'public:lobby Hello from a backend']));
  expect(opened.errors).toEqual([]);
});

test('docs/protocol.md: a stock client that joins as it is shown misses and doubles nothing when its node dies', async () => {
  await using stack = await startStack({ nodes: 3 });
  const program = (await snippet('docs/protocol.md', 'js', 'const positions'))
    .replaceAll('http://localhost:8080', stack.url)
    .replaceAll('TOKEN', stack.token);
  const api = (method: string, path: string, body?: unknown) =>
    fetch(`${stack.url}/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const publish = async (data: number) => {
    const answer = await api('POST', 'publish', { room: 'project:42', event: 'task:created', data });
    expect(answer.status).toBe(200);
  };

  await publish(1);
  await using client = await ManagedProcess.start({
    command: process.execPath,
    args: ['--input-type=module', '-e', program],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    name: 'client',
  });
  const knock = 'task:created 2';
  const heard = () => client.output.split('\n').filter((line) => line !== '' && line !== knock);
  await eventually(async () => {
    await publish(2);
    expect(client.output).toContain(knock);
  });
  /** Kills the node that the client is on, and holds the client up meanwhile. */
  const whileAway = async (act: () => Promise<unknown>) => {
    const node = await eventually(async () => {
      const { nodes } = clusterResponse.parse(await (await api('GET', 'cluster')).json());
      const ids = nodes.filter(({ connections }) => connections > 0).map((report) => report.node);
      const found = stack.nodes.find((one) => one.process.isRunning && ids.includes(one.id));
      if (found === undefined) throw new Error('no living node has told of the client yet');
      return found;
    });
    client.kill('SIGSTOP');
    node.process.kill('SIGKILL');
    await node.process.exited;
    await act();
    client.kill('SIGCONT');
  };

  await whileAway(async () => {
    for (const data of [3, 4]) await publish(data);
  });
  const slow = { timeoutMs: 10_000 };
  await eventually(() => expect(heard()).toEqual(['task:created 3', 'task:created 4']), slow);
  await publish(5);
  await eventually(() => expect(heard().at(-1)).toBe('task:created 5'));

  await whileAway(async () => {
    await publish(6);
    expect((await api('DELETE', 'rooms/project:42/history')).status).toBe(200);
  });
  await eventually(() => expect(heard().at(-1)).toBe('fetch anew: project:42'), slow);
  await publish(7);
  const told = ['task:created 3', 'task:created 4', 'task:created 5', 'fetch anew: project:42'];
  await eventually(() => expect(heard()).toEqual([...told, 'task:created 7']));
});

test('docs/protocol.md: it loses nothing when live events come together with the answer to its join', async () => {
  await using stack = await startStack({ nodes: 2, env: { FANFARE_PRESENCE_GRACE_MS: '0' } });
  const program = (await snippet('docs/protocol.md', 'js', 'const positions'))
    .replaceAll('http://localhost:8080', stack.url)
    .replaceAll('TOKEN', await stack.issueToken({ sub: 'held-up' }))
    .replace('{ auth', "{ transports: ['websocket'], auth");
  // Once it has asked it stands still, so that the answer and what follows it wait for it together. The interval keeps
  // it alive while it is disconnected.
  const control = `socket.on('connect', () => setImmediate(() => process.kill(process.pid, 'SIGSTOP')));
    process.on('SIGUSR2', () => (socket.connected ? socket.disconnect() : socket.connect()));
    setInterval(() => undefined, 60_000);`;
  const headers = { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' };
  const publish = async (data: number) => {
    const body = JSON.stringify({ room: 'project:42', event: 'task:created', data });
    expect((await fetch(`${stack.url}/v1/publish`, { method: 'POST', headers, body })).status).toBe(200);
  };
  const membersAre = (count: number) =>
    eventually(
      async () => {
        const answer = await fetch(`${stack.url}/v1/rooms/project:42/presence`, { headers });
        expect(await answer.json()).toMatchObject({ count });
      },
      { timeoutMs: 10_000 },
    );

  const token = await stack.issueToken({ sub: 'watching' });
  await using sockets = new AsyncDisposableStack();
  const watching = stack.nodes.map(({ url }) =>
    sockets.adopt(io(url, { auth: { token }, forceNew: true }), (open) => void open.close()),
  );
  for (const one of watching) await one.timeout(5000).emitWithAck('room:join', { room: 'project:42' });
  await using client = await ManagedProcess.start({
    command: process.execPath,
    args: ['--input-type=module', '-e', program + control],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    name: 'client',
  });
  /** Publishes, and lets the client go on when the event waits for it too. */
  const goOnWith = async (data: number) => {
    await membersAre(2);
    const heard = watching.map((one) => nextEvent(one, 'task:created'));
    await publish(data);
    await Promise.all(heard);
    client.kill('SIGCONT');
    await eventually(() => expect(client.output).toContain(`task:created ${data}`));
  };

  await goOnWith(1);
  client.kill('SIGUSR2');
  await membersAre(1);
  await publish(2);
  client.kill('SIGUSR2');
  await goOnWith(3);
  expect(client.output.trim().split('\n')).toEqual(['task:created 1', 'task:created 2', 'task:created 3']);
});

test("docs/protocol.md: a team's handlers run as they are shown, on every node", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-docs-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const handlers = join(folder, 'handlers.mjs');
  await writeFile(handlers, await snippet('docs/protocol.md', 'js', 'export default'));
  const cluster = stack.use(await startStack({ nodes: 2, env: { FANFARE_HANDLERS: handlers } }));
  const sockets = cluster.nodes.map(({ url }) =>
    stack.adopt(io(url, { auth: { token: cluster.token }, forceNew: true }), (open) => void open.close()),
  );
  const [alice, bob] = sockets;
  if (alice === undefined || bob === undefined) throw new Error('two nodes expected');
  await bob.timeout(5000).emitWithAck('room:join', { room: 'task:7' });
  const heard = nextEvent(bob, 'task:renamed');
  expect(await alice.timeout(5000).emitWithAck('task:rename', { id: '7', title: 'New' })).toEqual({
    status: 'ok',
  });
  expect(await heard).toEqual([{ id: '7', title: 'New' }, expect.objectContaining({ room: 'task:7' })]);
});

test('docs/protocol.md: a token made as it is shown opens a connection, and allows what it lists', async () => {
  const secret = 'a-secret-that-is-long-enough-for-HS256';
  const program = `${await snippet('docs/protocol.md', 'js', 'SignJWT')}process.stdout.write(token);`;
  await using node = await ManagedProcess.start({
    command: process.execPath,
    args: ['--input-type=module', '-e', program],
    cwd: ROOT,
    env: { FANFARE_TOKEN_SECRET: secret },
  });
  expect((await node.exited).code).toBe(0);
  const token = node.output;
  const claims = tokenClaims.parse(
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()),
  );
  expect(claims).toMatchObject({ sub: 'alice', namespaces: ['/'] });

  await using gateway = await createGateway(
    loadGatewayConfig({
      FANFARE_NODE_ID: 'n1',
      FANFARE_HOST: '127.0.0.1',
      FANFARE_PORT: '0',
      FANFARE_OPS_HOST: '127.0.0.1',
      FANFARE_OPS_PORT: '0',
      FANFARE_TOKEN_SECRET: secret,
      LOG_LEVEL: 'silent',
    }),
  );
  await gateway.listen();
  const alice = io(`http://127.0.0.1:${gateway.ports.http}`, { auth: { token }, forceNew: true });
  await using clients = new AsyncDisposableStack();
  clients.adopt(alice, (open) => void open.close());
  const ask = (event: string, payload: unknown) => alice.timeout(5000).emitWithAck(event, payload);
  const publish = (event: string) => ask('room:publish', { room: 'project:42', event, data: 1 });
  expect(await ask('room:join', { room: 'project:42' })).toMatchObject({ ok: true });
  expect(await publish('message:sent')).toMatchObject({ ok: true });
  expect(await publish('task:created')).toMatchObject({ ok: false, error: { code: 'forbidden' } });
  expect(await ask('room:join', { room: 'public:lobby' })).toMatchObject({ ok: true });
  expect(await ask('room:join', { room: 'project:43' })).toMatchObject({ error: { code: 'forbidden' } });
});
