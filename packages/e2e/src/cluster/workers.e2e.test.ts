import { fileURLToPath } from 'node:url';
import { type Single, type Stack, startSingle, startStack } from '@fanfare/local';
import { type PresenceChanged, presencePage } from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, openClient } from '../clients/stock-client.ts';
import { READY, readinessOf } from './app-process.ts';
import { order, publish, readCluster } from './http-api.ts';
import { scrape, total } from './metrics.ts';
import { descendantsOf, isAlive } from './processes.ts';
import { createWorkerLog, type WorkerLog } from './worker-log.ts';

const ROOM = 'test:workers';

interface Server {
  url: string;
  token: string;
  /** Id of the node. */
  node: string;
  log: WorkerLog;
}

/** Two clients on each of two workers; polling and websocket in turn. */
const openOnWorkers = async (
  owner: AsyncDisposableStack,
  { url, token, node, log }: Server,
): Promise<{ clients: Client[]; on: (worker: string) => Client[] }> => {
  await eventually(() => expect(['0', '1'].map((worker) => log.isUp(node, worker))).toEqual([true, true]));
  const held: { client: Client; worker: string }[] = [];
  const on = (worker: string) => held.filter((one) => one.worker === worker).map(({ client }) => client);
  // The next session goes to the worker with fewer, and sessions of an earlier test may still be ending.
  for (let i = 0; on('0').length < 2 || on('1').length < 2; i++) {
    const transports = [i % 2 === 0 ? 'polling' : 'websocket'];
    const client = owner.use(await openClient(url, { token, room: ROOM, transports }));
    const worker = await eventually(() => log.workerOf(client.socket.id));
    if (on(worker).length < 2) held.push({ client, worker });
    else client.socket.disconnect();
  }
  expect(held.map(({ client }) => [client.lost, client.refused])).toEqual(held.map(() => [[], []]));
  return { clients: held.map(({ client }) => client), on };
};

const tellAll = async (server: { url: string; apiKey: string }, data: unknown): Promise<void> => {
  expect(await publish(server, { room: ROOM, data })).toBe(200);
};

/** Who is in a room, as a socket is answered and as a backend is. */
const listPresence = async (client: Client | undefined, room: string) => {
  const answer = await client?.socket.timeout(5000).emitWithAck('presence:list', { room });
  return summaryOf(answer.data);
};
const readPresence = async ({ url, apiKey }: { url: string; apiKey: string }, room: string) => {
  const headers = { authorization: `Bearer ${apiKey}` };
  return summaryOf(await (await fetch(`${url}/v1/rooms/${room}/presence`, { headers })).json());
};
const summaryOf = (page: unknown) => {
  const { members, count } = presencePage.parse(page);
  return { users: members.map(({ user }) => user), count };
};

const expectBack = (clients: readonly Client[]): Promise<void> =>
  eventually(() => expect(clients.map(({ joins }) => joins)).toEqual(clients.map(() => 2)), {
    timeoutMs: 10_000,
  });

describe('two nodes of two workers each', () => {
  const log = createWorkerLog();
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ nodes: 2, workers: 2, env: { LOG_LEVEL: 'debug' }, onLog: log.write });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const nodeOf = (index: 0 | 1) => {
    const node = stack.nodes[index];
    if (!node) throw new Error('there are two nodes');
    return node;
  };
  const openOn = (owner: AsyncDisposableStack, index: 0 | 1) =>
    openOnWorkers(owner, { url: nodeOf(index).url, token: stack.token, node: nodeOf(index).id, log });
  const openAt = (url: string) =>
    openClient(url, { token: stack.token, room: ROOM, transports: ['websocket'] });

  test('a worker that is killed is replaced, its clients come back and all others hear on (C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const node = nodeOf(0);
    const { clients, on } = await openOn(owner, 0);
    const far = owner.use(await openAt(nodeOf(1).url));
    const pid = log.pidOf('n1', '0');

    process.kill(pid, 'SIGKILL');
    await eventually(async () => {
      const { status, reasons } = await readinessOf(node.opsUrl);
      expect({ status, reasons }).toEqual({ status: 503, reasons: ['worker 0: starting'] });
    });
    const newcomer = owner.use(await openAt(node.url));
    expect(await eventually(() => log.workerOf(newcomer.socket.id))).toBe('1');
    await tellAll(stack, 'meanwhile');
    const unhurt = [...on('1'), far, newcomer];
    await Promise.all(unhurt.map((client) => client.hears('meanwhile')));

    await eventually(async () => expect(await readinessOf(node.opsUrl)).toEqual(READY), {
      timeoutMs: 10_000,
    });
    expect(log.deaths()).toMatchObject([{ worker: '0', pid, signal: 'SIGKILL' }]);
    expect(log.pidsOf('n1', '0')).toHaveLength(2);
    expect(log.pidsOf('n1', '1')).toHaveLength(1);
    await expectBack(on('0'));
    await tellAll(stack, 'after');
    await Promise.all([...clients, far].map((client) => client.hears('after')));
    expect(unhurt.map(({ heard, lost }) => ({ heard, lost }))).toEqual(
      unhurt.map(() => ({ heard: ['meanwhile', 'after'], lost: [] })),
    );
    expect(node.process.isRunning).toBe(true);
  });

  test('workers go on when it was their primary that stood still (C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const { process: primary, opsUrl } = nodeOf(0);
    const { clients } = await openOn(owner, 0);
    const pids = ['0', '1'].map((worker) => log.pidOf('n1', worker));
    primary.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(11_000), {
      timeoutMs: 12_000,
    });
    primary.kill('SIGCONT');
    await eventually(async () => expect(await readinessOf(opsUrl)).toEqual(READY));
    await tellAll(stack, 'after');
    await Promise.all(clients.map((client) => client.hears('after')));
    expect(['0', '1'].map((worker) => log.pidOf('n1', worker))).toEqual(pids);
    expect(log.deaths().filter(({ pid }) => pids.includes(pid))).toEqual([]);
  });

  test('clients come back when all workers of a node are killed at once (C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const { clients } = await openOn(owner, 0);
    for (const worker of ['0', '1']) process.kill(log.pidOf('n1', worker), 'SIGKILL');
    await expectBack(clients);
    await tellAll(stack, 'after');
    await Promise.all(clients.map((client) => client.hears('after')));
  });

  test('a handshake that fails does not count against its worker (C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const { url } = nodeOf(1);
    const held: string[] = [];
    for (let i = 0; i < 4; i++) {
      expect((await fetch(`${url}/socket.io/?EIO=4&transport=websocket`)).status).toBe(400);
      const client = owner.use(await openAt(url));
      held.push(await eventually(() => log.workerOf(client.socket.id)));
    }
    expect(held.sort()).toEqual(['0', '0', '1', '1']);
  });

  test('the ops port of a node tells of all its workers together (C3)', async () => {
    const node = nodeOf(1);
    await eventually(async () => expect(total(await scrape(node.opsUrl), 'socket_io_connected')).toBe(0));
    await using owner = new AsyncDisposableStack();
    const { clients } = await openOn(owner, 1);
    const samples = await scrape(node.opsUrl);
    expect(total(samples, 'socket_io_connected')).toBe(clients.length);
    for (const worker of ['0', '1']) {
      const labels = { node: 'n2', worker };
      expect(total(samples, 'socket_io_connected', labels)).toBe(clients.length / 2);
      expect(total(samples, 'process_resident_memory_bytes', labels)).toBeGreaterThan(0);
    }
  });

  test('a node ends with 0 on SIGTERM, and no worker is left (C3)', async () => {
    const node = nodeOf(1);
    await using owner = new AsyncDisposableStack();
    const { clients } = await openOn(owner, 1);
    const pids = await descendantsOf(node.pid);
    expect(pids).toEqual(expect.arrayContaining([log.pidOf('n2', '0'), log.pidOf('n2', '1')]));
    node.process.kill('SIGTERM');
    expect(await node.process.exited).toEqual({ code: 0, signal: null });
    expect(pids.filter(isAlive)).toEqual([]);
    await eventually(() => expect(clients.every(({ lost }) => lost.length === 1)).toBe(true));
    for (const { lost } of clients) expect(['transport close', 'transport error']).toContain(lost.join());
  });
});

describe('one node of two workers without Redis', () => {
  const log = createWorkerLog();
  let single: Single;
  beforeAll(async () => {
    single = await startSingle({ workers: 2, env: { LOG_LEVEL: 'debug' }, onLog: log.write });
  });
  afterAll(() => single[Symbol.asyncDispose]());

  const open = (owner: AsyncDisposableStack) => openOnWorkers(owner, { ...single, node: 'n1', log });

  test('what a socket or a backend publishes reaches the sockets of both workers (C2, C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const { clients, on } = await open(owner);
    await on('0')[0]?.tell('from worker 0');
    await on('1')[0]?.tell('from worker 1');
    await tellAll(single, 'from a backend');
    for (const data of ['from worker 0', 'from worker 1', 'from a backend']) {
      await Promise.all(clients.map((client) => client.hears(data)));
    }
    expect(clients.map(({ heard }) => heard.length)).toEqual(clients.map(() => 3));
  });

  test('a revoked user is gone from every worker and comes into none again, and others stay (C2, C3) (G6)', async () => {
    await using owner = new AsyncDisposableStack();
    const token = await single.issueToken({ sub: 'mallory' });
    const { clients } = await openOnWorkers(owner, { ...single, token, node: 'n1', log });
    const bystander = owner.use(await openClient(single.url, { token: single.token, room: ROOM }));
    expect(await order(single, '/v1/revocations', { user: 'mallory' })).toBe(200);
    await eventually(() => expect(clients.map(({ lost }) => lost.length)).toEqual(clients.map(() => 1)));
    await tellAll(single, 'after');
    await bystander.hears('after');
    const refusal = async () => {
      const again = io(single.url, { auth: { token }, transports: ['websocket'], forceNew: true });
      using _ = { [Symbol.dispose]: () => void again.disconnect() };
      const opened = nextEvent(again, 'connect', { timeoutMs: 10_000 }).then(() => ['it came in']);
      const [error] = await Promise.race([nextEvent(again, 'connect_error', { timeoutMs: 10_000 }), opened]);
      return error;
    };
    // As many as reach both workers.
    const expectRefused = async () =>
      expect(await Promise.all(clients.map(refusal))).toMatchObject(
        clients.map(() => ({ data: { code: 'token_revoked' } })),
      );
    await expectRefused();
    expect(bystander.lost).toEqual([]);
    const pid = log.pidOf('n1', '0');
    process.kill(pid, 'SIGKILL');
    await eventually(() => expect(log.pidOf('n1', '0')).not.toBe(pid), { timeoutMs: 10_000 });
    await eventually(() => expect(log.isUp('n1', '0')).toBe(true));
    // The new worker has been told by the other one.
    await eventually(expectRefused);
    expect(clients.map(({ heard, joins }) => [heard, joins])).toEqual(clients.map(() => [[], 1]));
  });

  test('a user is disconnected on every worker, to come back or not (C2, C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const token = await single.issueToken({ sub: 'ann' });
    const { clients } = await openOnWorkers(owner, { ...single, token, node: 'n1', log });
    expect(await order(single, '/v1/users/ann/disconnect', { reconnect: true })).toBe(200);
    await expectBack(clients);
    expect(await order(single, '/v1/users/ann/disconnect', {})).toBe(200);
    await eventually(() => expect(clients.map(({ lost }) => lost.length)).toEqual(clients.map(() => 2)));
    expect(clients.map(({ lost }) => lost.at(-1))).toEqual(clients.map(() => 'io server disconnect'));
  });

  test('clients come back when all workers are killed at once (C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const { clients } = await open(owner);
    for (const worker of ['0', '1']) process.kill(log.pidOf('n1', worker), 'SIGKILL');
    await expectBack(clients);
    await tellAll(single, 'after');
    await Promise.all(clients.map((client) => client.hears('after')));
  });

  test.each([
    { how: 'is killed', signal: 'SIGKILL' },
    { how: 'stands still', signal: 'SIGSTOP' },
  ] as const)(
    'a worker that $how is replaced, and the api reaches both again (C2, C3)',
    async ({ signal }) => {
      await using owner = new AsyncDisposableStack();
      const { clients, on } = await open(owner);
      const pid = log.pidOf('n1', '1');
      process.kill(pid, signal);
      await eventually(
        () => expect(log.deaths()).toContainEqual(expect.objectContaining({ pid, signal: 'SIGKILL' })),
        { timeoutMs: 15_000 },
      );
      await tellAll(single, 'meanwhile');
      await Promise.all(on('0').map((client) => client.hears('meanwhile')));
      await expectBack(on('1'));
      await eventually(async () => {
        const { nodes, connections } = await readCluster(single);
        expect({ workers: nodes.map(({ worker }) => worker).sort(), connections }).toEqual({
          workers: ['0', '1'],
          connections: clients.length,
        });
      });
      await tellAll(single, 'after');
      await Promise.all(clients.map((client) => client.hears('after')));
      expect(on('0').map(({ lost }) => lost)).toEqual([[], []]);
    },
  );

  test('who is in a room is one list for all, and those of a killed worker leave within 10 s, told once (C2, C3)', async () => {
    await using owner = new AsyncDisposableStack();
    const room = 'test:present';
    const people: { user: string; client: Client; worker: string }[] = [];
    const on = (worker: string) => people.filter((one) => one.worker === worker);
    while (on('0').length < 2 || on('1').length < 2) {
      const user = `user-${people.length}`;
      const token = await single.issueToken({ sub: user });
      const client = owner.use(await openClient(single.url, { token, room, transports: ['websocket'] }));
      people.push({ user, client, worker: await eventually(() => log.workerOf(client.socket.id)) });
    }
    const everybody = people.map(({ user }) => user).sort();
    const expectPresent = (users: readonly string[]) =>
      eventually(async () => {
        const lists = await Promise.all(on('0').map(({ client }) => listPresence(client, room)));
        for (const list of [...lists, await readPresence(single, room)])
          expect(list).toEqual({ users, count: users.length });
      });
    await expectPresent(everybody);
    expect(await readCluster(single)).toMatchObject({ connections: people.length, users: people.length });
    expect(await listPresence(on('1')[0]?.client, room)).toEqual({ users: everybody, count: people.length });

    const left: string[] = [];
    const watcher = on('0')[0]?.client.socket;
    watcher?.on('presence:changed', (change: PresenceChanged) => left.push(...change.left));
    await watcher?.timeout(5000).emitWithAck('room:join', { room, presence: true });
    const [returning, ...staying] = on('1');
    for (const { client } of staying) client.socket.io.reconnection(false);
    process.kill(log.pidOf('n1', '1'), 'SIGKILL');
    const killedAt = performance.now();
    const gone = staying.map(({ user }) => user).sort();
    await eventually(() => expect([...left].sort()).toEqual(gone), { timeoutMs: 12_000 });
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    await eventually(() => expect(returning?.client.joins).toBe(2));
    await expectPresent(everybody.filter((user) => !gone.includes(user)));
    expect(left).toHaveLength(gone.length);
  });
});

test('workers without Redis tell each other of sockets whatever a team keeps with them (C2, C3)', async () => {
  await using owner = new AsyncDisposableStack();
  const log = createWorkerLog();
  const FANFARE_HANDLERS = fileURLToPath(new URL('keeping-handlers.js', import.meta.url));
  const env = { LOG_LEVEL: 'debug', FANFARE_HANDLERS };
  const single = owner.use(await startSingle({ workers: 2, env, onLog: log.write }));
  const { clients } = await openOnWorkers(owner, { ...single, node: 'n1', log });
  const ids = clients.map(({ socket }) => socket.id);
  for (const { socket } of clients)
    expect(await socket.timeout(10_000).emitWithAck('who')).toEqual(expect.arrayContaining(ids));
  expect(log.deaths()).toEqual([]);
});
