import { type Stack, startStack } from '@fanfare/local';
import {
  batchResponse,
  clusterResponse,
  historyResponse,
  problem,
  publishResponse,
  roomsResponse,
} from '@fanfare/protocol';
import { eventually, nextEvent } from '@fanfare/testing';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const NAMESPACES = '/,/chat';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 2, env: { FANFARE_NAMESPACES: NAMESPACES } });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** What a client was told of the events with one name, in order. */
interface Heard {
  data: unknown;
  room: unknown;
  offset: unknown;
}

interface Client extends AsyncDisposable {
  socket: Socket;
  heard: Heard[];
  join(room: string): Promise<void>;
}

/** A stock client on one node, past nginx. */
const connectTo = async (
  node: string | undefined,
  { namespace = '/', user = 'you' }: { namespace?: string; user?: string } = {},
): Promise<Client> => {
  const url = stack.nodes.find(({ id }) => id === node)?.url;
  const socket = io(`${url}${namespace}`, {
    auth: { token: await stack.issueToken({ sub: user }) },
    transports: ['websocket'],
    forceNew: true,
  });
  const heard: Heard[] = [];
  socket.on('task:created', (data, meta) => heard.push({ data, room: meta.room, offset: meta.offset }));
  if (!socket.connected) await nextEvent(socket, 'connect');
  return {
    socket,
    heard,
    join: async (room) => {
      const answer = await socket.timeout(5000).emitWithAck('room:join', { room });
      expect(answer).toMatchObject({ ok: true });
    },
    [Symbol.asyncDispose]: async () => {
      socket.disconnect();
    },
  };
};

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${stack.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
  });

const event = (body: Record<string, unknown>) => ({ event: 'task:created', data: null, ...body });

const publish = (body: Record<string, unknown>): Promise<Response> =>
  ask('/v1/publish', { method: 'POST', body: JSON.stringify(event(body)) });

/** Publishes to the end, and returns the offsets. */
const published = async (body: Record<string, unknown>): Promise<(number | null)[]> => {
  const response = await publish(body);
  expect(response.status).toBe(200);
  return publishResponse.parse(await response.json()).results.map(({ offset }) => offset);
};

const historyOf = async (room: string, query: Record<string, string> = {}) =>
  historyResponse.parse(await (await ask(`/v1/rooms/${room}/history?${new URLSearchParams(query)}`)).json());

/**
 * What the clients have heard by the time they hear a last event. Redis keeps the order of one publisher, so nothing
 * that was published before can come after it.
 */
const heardBy = async (clients: readonly Client[], namespace = '/'): Promise<Heard[][]> => {
  await Promise.all(clients.map((client) => client.join('test:end')));
  const ended = clients.map(({ socket }) => nextEvent(socket, 'test:ended'));
  await published({ room: 'test:end', event: 'test:ended', namespace });
  await Promise.all(ended);
  return clients.map(({ heard }) => heard);
};

describe('an event published over HTTP', () => {
  it('reaches the members of the room on every node, and nobody else (row 16) (C2)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await using stranger = await connectTo('n2');
    await Promise.all([alice.join('project:1'), bob.join('project:1'), stranger.join('project:2')]);

    const data = { id: 7, title: 'Grüße 🎺', tags: [], done: null };
    const response = await publish({ room: 'project:1', data });
    expect(response.status).toBe(200);
    expect(publishResponse.parse(await response.json())).toEqual({
      results: [
        { room: 'project:1', epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1, duplicate: false },
      ],
    });
    const told = [{ data, room: 'project:1', offset: 1 }];
    expect(await heardBy([alice, bob, stranger])).toEqual([told, told, []]);
  });

  it('tells clients its room, its position, its id and its time, and names no user as sender (C2)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('project:3'), bob.join('project:3')]);
    const told = [alice, bob].map(({ socket }) => nextEvent(socket, 'task:created'));
    await published({ room: 'project:3', id: 'order-1' });
    const { epoch } = await historyOf('project:3');
    for (const [, meta] of await Promise.all(told)) {
      expect(meta).toEqual({ room: 'project:3', id: 'order-1', at: expect.any(Number), epoch, offset: 1 });
    }
  });

  it('is heard once however often it is sent with one id (G1)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('project:8'), bob.join('project:8')]);
    const send = () => publish({ room: 'project:8', id: 'order-2', data: 1 });
    const answers = await Promise.all([send(), send(), send()]);
    const results = await Promise.all(
      answers.map(async (answer) => publishResponse.parse(await answer.json()).results[0]),
    );
    expect(results.map((result) => result?.offset)).toEqual([1, 1, 1]);
    expect(results.filter((result) => result?.duplicate === false)).toHaveLength(1);
    const told = [{ data: 1, room: 'project:8', offset: 1 }];
    expect(await heardBy([alice, bob])).toEqual([told, told]);
  });

  it('is heard once by a socket that is in several of its rooms (row 14) (C2)', async () => {
    await using both = await connectTo('n1');
    await using first = await connectTo('n2');
    await using second = await connectTo('n2');
    await both.join('project:4');
    await both.join('team:4');
    await first.join('project:4');
    await second.join('team:4');
    const skipped = nextEvent(both.socket, 'room:skip');
    const response = await publish({ rooms: ['project:4', 'team:4', 'project:4'], data: 1 });
    const { results } = publishResponse.parse(await response.json());
    expect(results.map(({ room }) => room)).toEqual(['project:4', 'team:4']);
    expect(await heardBy([both, first, second])).toEqual([
      [{ data: 1, room: 'project:4', offset: 1 }],
      [{ data: 1, room: 'project:4', offset: 1 }],
      [{ data: 1, room: 'team:4', offset: 1 }],
    ]);
    expect(await skipped).toMatchObject([{ room: 'team:4', offset: 1 }]);
  });

  it('is not heard by an excepted user, on any node, whose position moves all the same (C2)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n1', { user: 'bob' });
    await using bobElsewhere = await connectTo('n2', { user: 'bob' });
    for (const client of [alice, bob, bobElsewhere]) await client.join('project:9');
    const skipped = [bob, bobElsewhere].map(({ socket }) => nextEvent(socket, 'room:skip'));
    await published({ room: 'project:9', except: ['bob'], data: 1 });
    await published({ room: 'project:9', data: 2 });
    const second = { data: 2, room: 'project:9', offset: 2 };
    expect(await heardBy([alice, bob, bobElsewhere])).toEqual([
      [{ data: 1, room: 'project:9', offset: 1 }, second],
      [second],
      [second],
    ]);
    for (const skip of await Promise.all(skipped)) {
      expect(skip).toMatchObject([{ room: 'project:9', offset: 1 }]);
    }
  });

  it('stays in its namespace (row 21) (C2)', async () => {
    await using inChat = await connectTo('n1', { namespace: '/chat' });
    await using alsoInChat = await connectTo('n2', { namespace: '/chat' });
    await using outside = await connectTo('n2');
    for (const client of [inChat, alsoInChat, outside]) await client.join('project:6');
    await published({ room: 'project:6', namespace: '/chat', data: 1 });
    const told = [{ data: 1, room: 'project:6', offset: 1 }];
    expect(await heardBy([inChat, alsoInChat], '/chat')).toEqual([told, told]);
    expect(await heardBy([outside])).toEqual([[]]);
    expect((await publish({ room: 'project:6', namespace: '/admin' })).status).toBe(404);
  });

  it('is refused as unavailable while Redis is away, and a retry completes it without doubling (C2, G1)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    const rooms = ['project:7', 'team:7'];
    await alice.join('project:7');
    await bob.join('team:7');
    await published({ rooms, data: 'before', id: 'order-3' });
    const pids = [stack.api.process.pid, ...stack.nodes.map(({ pid }) => pid)];

    await stack.redis.stop();
    const refused = await publish({ rooms, data: 'during', id: 'order-4' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    const error = expect.objectContaining({ code: 'unavailable', retryable: true });
    expect(problem.parse(await refused.json())).toMatchObject({
      code: 'unavailable',
      retryable: true,
      results: rooms.map((room) => ({ room, error })),
    });

    await stack.redis.restart();
    const ready = [stack.api.opsUrl, ...stack.nodes.map(({ opsUrl }) => opsUrl)].map((url) =>
      eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200)),
    );
    await Promise.all(ready);
    expect(await published({ rooms, data: 'during', id: 'order-4' })).toEqual([2, 2]);
    expect(await published({ rooms, data: 'during', id: 'order-4' })).toEqual([2, 2]);
    expect(await published({ rooms, data: 'before', id: 'order-3' })).toEqual([1, 1]);
    expect(await published({ rooms, data: 'after' })).toEqual([3, 3]);
    for (const [client, room] of [
      [alice, 'project:7'],
      [bob, 'team:7'],
    ] as const) {
      const told = ['before', 'during', 'after'].map((data, i) => ({ data, room, offset: i + 1 }));
      await eventually(() => expect(client.heard).toEqual(told));
    }
    expect([stack.api.process.pid, ...stack.nodes.map(({ pid }) => pid)]).toEqual(pids);
  });
});

describe('an ephemeral event published over HTTP', () => {
  it('is heard on every node, has no position and is nowhere in the log', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('project:10'), bob.join('project:10')]);
    expect(await published({ room: 'project:10', data: 1, ephemeral: true })).toEqual([null]);
    const told = [{ data: 1, room: 'project:10', offset: undefined }];
    expect(await heardBy([alice, bob])).toEqual([told, told]);
    expect(await historyOf('project:10')).toMatchObject({ epoch: '', offset: 0, events: [] });
  });

  it('is not heard by excepted users or the members of excepted rooms, on any node (C2)', async () => {
    await using alice = await connectTo('n1');
    await using muted = await connectTo('n1');
    await using mutedToo = await connectTo('n2');
    await using bob = await connectTo('n2', { user: 'bob' });
    for (const client of [alice, muted, mutedToo, bob]) await client.join('project:5');
    for (const client of [muted, mutedToo]) await client.join('muted:5');
    await published({ room: 'project:5', except: ['muted:5', 'bob'], data: 1, ephemeral: true });
    expect(await heardBy([alice, muted, mutedToo, bob])).toEqual([
      [{ data: 1, room: 'project:5', offset: undefined }],
      [],
      [],
      [],
    ]);
  });
});

describe('a batch published over HTTP', () => {
  it('is heard in the order of its commands, room by room, on every node', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('batch:1'), bob.join('batch:2')]);
    const rooms = ['batch:1', 'batch:2', 'batch:3'];
    const commands = Array.from({ length: 300 }, (_, i) => event({ room: rooms[i % 3], data: i }));
    const response = await ask('/v1/batch', { method: 'POST', body: JSON.stringify({ commands }) });
    const { results } = batchResponse.parse(await response.json());
    expect(results.map(({ results: [one] }) => one?.offset)).toEqual(
      commands.map((_, i) => Math.floor(i / 3) + 1),
    );
    const heard = await heardBy([alice, bob]);
    expect(heard.map((events) => events.map(({ data }) => data))).toEqual(
      [0, 1].map((first) => Array.from({ length: 100 }, (_, i) => first + i * 3)),
    );
  });
});

describe('the past of a room over HTTP', () => {
  it('is read in both directions and forgotten on request', async () => {
    for (const data of [1, 2, 3, 4]) await published({ room: 'past:1', data });
    const data = async (query: Record<string, string>) =>
      (await historyOf('past:1', query)).events.map((one) => one.data);
    expect(await data({})).toEqual([1, 2, 3, 4]);
    expect(await data({ since: '2', limit: '1' })).toEqual([3]);
    expect(await data({ direction: 'backward', limit: '3' })).toEqual([4, 3, 2]);
    expect(await data({ direction: 'backward', since: '2' })).toEqual([1]);
    const deleted = await ask('/v1/rooms/past:1/history', { method: 'DELETE' });
    expect(await deleted.json()).toEqual({ deleted: 4 });
    expect(await historyOf('past:1')).toMatchObject({ offset: 4, events: [] });
    expect(await published({ room: 'past:1', data: 5 })).toEqual([5]);
  });

  it('shows the room in the list of rooms', async () => {
    await published({ rooms: ['past:2', 'past:3'] });
    const response = await ask('/v1/rooms?limit=1000');
    const names = roomsResponse.parse(await response.json()).rooms.map(({ room }) => room);
    expect(names).toEqual(expect.arrayContaining(['past:2', 'past:3']));
  });
});

describe('the api behind the public port', () => {
  it('tells of both nodes and their connections', async () => {
    await using _alice = await connectTo('n1');
    await using _bob = await connectTo('n2');
    await eventually(async () => {
      const cluster = clusterResponse.parse(await (await ask('/v1/cluster')).json());
      expect(cluster).toMatchObject({ mode: 'redis', connections: 2, users: 1, warnings: [] });
      expect(cluster.nodes.map(({ node, connections }) => [node, connections]).sort()).toEqual([
        ['n1', 1],
        ['n2', 1],
      ]);
    });
  });

  it.each(['/v1/openapi.json', '/docs', '/docs/errors', '/docs/rapidoc.js'])('shows %s', async (path) => {
    expect((await fetch(`${stack.url}${path}`)).status).toBe(200);
  });
});
