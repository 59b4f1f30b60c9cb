import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clusterResponse } from '@fanfare/protocol';
import { eventually, freePort, isPortFree, ManagedProcess, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { descendantsOf, isAlive } from '../cluster/processes.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const MAIN = join(ROOT, 'deploy/local/src/main.ts');

const announced = z.strictObject({
  url: z.url(),
  token: z.string(),
  apiKey: z.string(),
  nodes: z.array(z.strictObject({ id: z.string(), url: z.url(), pid: z.int() })),
  boardUrl: z.url().optional(),
});

/** A launcher whose temporary files are all in one folder. */
const startLauncher = async (args: readonly string[], env: Record<string, string> = {}) => {
  const files = await mkdtemp(join(tmpdir(), 'fanfare-launcher-'));
  const stdout: string[] = [];
  const launcher = await ManagedProcess.start({
    command: process.execPath,
    args: ['--conditions=source', MAIN, ...args],
    cwd: ROOT,
    env: { LOG_LEVEL: undefined, ...env, TMPDIR: files },
    detached: true,
    killAfterMs: 15_000,
    onLine: (line, stream) => {
      if (stream === 'stdout') stdout.push(line);
    },
  });
  return {
    launcher,
    stdout,
    files: () => readdir(files),
    [Symbol.asyncDispose]: async () => {
      await launcher.stop();
      await rm(files, { recursive: true, force: true });
    },
  };
};

const startJson = async (args: readonly string[], env?: Record<string, string>) => {
  const started = await startLauncher(['--json', '--port', '0', ...args], env);
  const line = await started.launcher.waitForLine((text) => text.startsWith('{"url"'), { timeoutMs: 30_000 });
  return { ...started, ready: announced.parse(JSON.parse(line)) };
};

const portOf = (url: string): number => Number(new URL(url).port);

type Started = Awaited<ReturnType<typeof startJson>>;

const assertNothingIsLeft = async (started: Started, pids: readonly number[]): Promise<void> => {
  await eventually(() => expect(pids.filter(isAlive)).toEqual([]), { timeoutMs: 10_000 });
  const ports = [started.ready.url, ...started.ready.nodes.map(({ url }) => url)].map(portOf);
  for (const port of ports) expect(await isPortFree(port)).toBe(true);
  await eventually(async () => expect(await started.files()).toEqual([]));
};

const shell = (line: string) =>
  ManagedProcess.start({ command: '/bin/sh', args: ['-c', `exec ${line}`], cwd: ROOT, name: 'shell' });

test('the printed lines work as pasted: a stock client on each node hears what curl publishes (C2)', async () => {
  await using started = await startLauncher(['--port', String(await freePort())]);
  const { launcher, stdout } = started;
  const listen = await launcher.waitForLine((line) => line.startsWith('node --input-type=module'), {
    timeoutMs: 30_000,
  });
  const publish = await launcher.waitForLine((line) => line.startsWith('curl '));
  const url = /^Fanfare is running at (.*)$/m.exec(launcher.output)?.[1] ?? '';
  const nodeUrls = stdout.flatMap((line) => /\bn\d {2}(http:\S+)/.exec(line)?.[1] ?? []);
  expect(nodeUrls).toHaveLength(3);

  await using clients = new AsyncDisposableStack();
  const lines = [listen, ...nodeUrls.map((nodeUrl) => listen.replace(url, nodeUrl))];
  const listeners = await Promise.all(lines.map(async (line) => clients.use(await shell(line))));
  await Promise.all(listeners.map((client) => client.waitForLine((line) => line.startsWith('joined'))));
  await using curl = await shell(publish);
  expect(await curl.exited).toEqual({ code: 0, signal: null });
  await Promise.all(
    listeners.map((client) =>
      client.waitForLine((line) => line.includes('greeting:sent') && line.includes('Hello from curl')),
    ),
  );
});

test('--json prints exactly one line on stdout, and logs in JSON on stderr', async () => {
  await using started = await startJson(['--nodes', '2', '--no-board']);
  expect(started.ready.boardUrl).toBeUndefined();
  expect(started.ready.nodes.map(({ id }) => id)).toEqual(['n1', 'n2']);
  expect((await fetch(`${started.ready.url}/api/health`)).status).toBe(200);
  await started.launcher.stop('SIGINT');
  expect(started.stdout).toHaveLength(1);
  const logs = started.launcher.output.split('\n').filter((line) => line.includes('"listening"'));
  expect(logs.map((line) => z.object({ app: z.string() }).parse(JSON.parse(line)).app).sort()).toEqual([
    'api',
    'gateway',
    'gateway',
  ]);
});

test('Ctrl-C for the whole group, more than once, leaves no process, port or file behind', async () => {
  await using started = await startJson(['--nodes', '2']);
  const pids = await descendantsOf(started.launcher.pid);
  expect(pids).toEqual(expect.arrayContaining(started.ready.nodes.map(({ pid }) => pid)));
  process.kill(-started.launcher.pid, 'SIGINT');
  process.kill(-started.launcher.pid, 'SIGINT');
  expect(await started.launcher.exited).toEqual({ code: 0, signal: null });
  await assertNothingIsLeft(started, pids);
});

test('the board is there some seconds later, and leaves nothing behind either', async () => {
  await using started = await startJson(['--nodes', '2']);
  const url = started.ready.boardUrl ?? '';
  await eventually(async () => expect((await fetch(url)).status).toBe(200), { timeoutMs: 30_000 });
  expect(await (await fetch(`${url}api/me`)).json()).toMatchObject({ user: null });
  const pids = await descendantsOf(started.launcher.pid);
  await started.launcher.stop('SIGINT');
  await assertNothingIsLeft(started, pids);
});

test('SIGTERM for the launcher alone leaves nothing behind, after a node was killed', async () => {
  await using started = await startJson(['--nodes', '2']);
  const pids = await descendantsOf(started.launcher.pid);
  const [first] = started.ready.nodes;
  if (first) process.kill(first.pid, 'SIGKILL');
  await started.launcher.waitForLine((line) => line === 'n1 ended with SIGKILL.');
  started.launcher.kill('SIGTERM');
  expect(await started.launcher.exited).toEqual({ code: 0, signal: null });
  await assertNothingIsLeft(started, pids);
});

test('a launcher that is killed leaves nothing behind', async () => {
  await using started = await startJson(['--nodes', '2']);
  const pids = await descendantsOf(started.launcher.pid);
  process.kill(started.launcher.pid, 'SIGKILL');
  await assertNothingIsLeft(started, pids);
});

test('Ctrl-C during the start leaves nothing behind', async () => {
  await using started = await startLauncher(['--nodes', '2', '--port', '0']);
  await started.launcher.waitForLine((line) => line.startsWith('Starting 2 gateway nodes'));
  const pids = await descendantsOf(started.launcher.pid);
  started.launcher.kill('SIGINT');
  expect((await started.launcher.exited).code).toBe(1);
  await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
  expect(await started.files()).toEqual([]);
  expect(started.stdout).toEqual([]);
});

test('--single: sockets on both workers hear what is published, and nothing is left at the end (C3)', async () => {
  await using started = await startJson(['--single']);
  const { url, token, apiKey, nodes } = started.ready;
  expect(nodes).toEqual([{ id: 'n1', url, pid: nodes[0]?.pid }]);
  const pids = await descendantsOf(started.launcher.pid);
  await using clients = new AsyncDisposableStack();
  const sockets = [];
  for (const transport of ['polling', 'websocket', 'polling', 'websocket']) {
    const options = { auth: { token }, transports: [transport], forceNew: true };
    const socket = clients.adopt(io(url, options), (open) => {
      open.close();
    });
    // One after the other: the next one goes to the worker with fewer connections.
    await socket.timeout(10_000).emitWithAck('room:join', { room: 'public:lobby' });
    sockets.push(socket);
  }
  const heard = Promise.all(sockets.map((socket) => nextEvent(socket, 'greeting:sent')));
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ room: 'public:lobby', event: 'greeting:sent', data: { text: 'hello' } });
  expect((await fetch(`${url}/v1/publish`, { method: 'POST', headers, body })).status).toBe(200);
  for (const [data] of await heard) expect(data).toEqual({ text: 'hello' });

  const cluster = clusterResponse.parse(await (await fetch(`${url}/v1/cluster`, { headers })).json());
  expect(cluster.nodes.map(({ connections }) => connections)).toEqual([2, 2]);
  started.launcher.kill('SIGINT');
  expect(await started.launcher.exited).toEqual({ code: 0, signal: null });
  await assertNothingIsLeft(started, pids);
});

test('a port that is taken is one clear sentence', async () => {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await using started = await startLauncher(['--port', String(port)]);
  expect((await started.launcher.exited).code).toBe(1);
  expect(started.launcher.output).toBe(
    `Port ${port} on 127.0.0.1 is taken: stop what listens there or choose another one with --port.`,
  );
});

test('a missing Redis is one clear sentence', async () => {
  await using started = await startLauncher(['--port', '0'], { REDIS_SERVER: '/nowhere/redis-server' });
  expect((await started.launcher.exited).code).toBe(1);
  expect(started.launcher.output).toMatch(
    /^Starting Redis …\nREDIS_SERVER is \/nowhere\/redis-server, which is not a program: install it with .*\.$/,
  );
  expect(await started.files()).toEqual([]);
});

test('bad settings of the gateways are told by the gateway, and nothing is left', async () => {
  await using started = await startLauncher(['--port', '0', '--nodes', '2'], {
    FANFARE_NAMESPACES: 'chat',
    FANFARE_SHUTDOWN_MS: 'soon',
  });
  expect((await started.launcher.exited).code).toBe(1);
  expect(started.launcher.output).toContain('ended with code 78');
  expect(started.launcher.output).toContain('FANFARE_SHUTDOWN_MS: expected a whole number');
  expect(await started.files()).toEqual([]);
});
