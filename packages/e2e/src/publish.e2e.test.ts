import { type Stack, startStack } from '@fanfare/local';
import { clusterResponse, problem, publishResponse } from '@fanfare/protocol';
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
}

interface Client extends AsyncDisposable {
  socket: Socket;
  heard: Heard[];
  join(room: string): Promise<void>;
}

/** A stock client on one node, past nginx. */
const connectTo = async (node: string | undefined, namespace = '/'): Promise<Client> => {
  const url = stack.nodes.find(({ id }) => id === node)?.url;
  const socket = io(`${url}${namespace}`, {
    auth: { token: stack.token },
    transports: ['websocket'],
    forceNew: true,
  });
  const heard: Heard[] = [];
  socket.on('task:created', (data, meta) => heard.push({ data, room: meta.room }));
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

const publish = (body: Record<string, unknown>): Promise<Response> =>
  fetch(`${stack.url}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'task:created', data: null, ...body }),
  });

/**
 * What the clients have heard by the time they hear a last event. Redis keeps the order of one publisher, so nothing
 * that was published before can come after it.
 */
const heardBy = async (clients: readonly Client[], namespace = '/'): Promise<Heard[][]> => {
  await Promise.all(clients.map((client) => client.join('test:end')));
  const ended = clients.map(({ socket }) => nextEvent(socket, 'test:ended'));
  expect((await publish({ room: 'test:end', event: 'test:ended', namespace })).status).toBe(200);
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
      results: [{ room: 'project:1', epoch: '', offset: null, duplicate: false }],
    });
    const told = [{ data, room: 'project:1' }];
    expect(await heardBy([alice, bob, stranger])).toEqual([told, told, []]);
  });

  it('tells clients its room, its id and its time, and names no user as sender (C2)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('project:3'), bob.join('project:3')]);
    const told = [alice, bob].map(({ socket }) => nextEvent(socket, 'task:created'));
    await publish({ room: 'project:3', id: 'order-1' });
    for (const [, meta] of await Promise.all(told)) {
      expect(meta).toEqual({ room: 'project:3', id: 'order-1', at: expect.any(Number) });
    }
  });

  it('is heard once by a socket that is in several of its rooms (row 14) (C2)', async () => {
    await using both = await connectTo('n1');
    await using first = await connectTo('n2');
    await using second = await connectTo('n2');
    await both.join('project:4');
    await both.join('team:4');
    await first.join('project:4');
    await second.join('team:4');
    const response = await publish({ rooms: ['project:4', 'team:4', 'project:4'], data: 1 });
    const { results } = publishResponse.parse(await response.json());
    expect(results.map(({ room }) => room)).toEqual(['project:4', 'team:4']);
    expect(await heardBy([both, first, second])).toEqual([
      [{ data: 1, room: 'project:4' }],
      [{ data: 1, room: 'project:4' }],
      [{ data: 1, room: 'team:4' }],
    ]);
  });

  it('is not heard by the members of an excepted room, on any node (C2)', async () => {
    await using alice = await connectTo('n1');
    await using muted = await connectTo('n1');
    await using mutedToo = await connectTo('n2');
    for (const client of [alice, muted, mutedToo]) await client.join('project:5');
    for (const client of [muted, mutedToo]) await client.join('muted:5');
    await publish({ room: 'project:5', except: ['muted:5'], data: 1 });
    expect(await heardBy([alice, muted, mutedToo])).toEqual([[{ data: 1, room: 'project:5' }], [], []]);
  });

  it('stays in its namespace (row 21) (C2)', async () => {
    await using inChat = await connectTo('n1', '/chat');
    await using alsoInChat = await connectTo('n2', '/chat');
    await using outside = await connectTo('n2');
    for (const client of [inChat, alsoInChat, outside]) await client.join('project:6');
    await publish({ room: 'project:6', namespace: '/chat', data: 1 });
    const told = [{ data: 1, room: 'project:6' }];
    expect(await heardBy([inChat, alsoInChat], '/chat')).toEqual([told, told]);
    expect(await heardBy([outside])).toEqual([[]]);
    expect((await publish({ room: 'project:6', namespace: '/admin' })).status).toBe(404);
  });

  it('is refused as unavailable while Redis is away, and reaches both nodes again after (C2)', async () => {
    await using alice = await connectTo('n1');
    await using bob = await connectTo('n2');
    await Promise.all([alice.join('project:7'), bob.join('project:7')]);
    const pids = [stack.api.process.pid, ...stack.nodes.map(({ pid }) => pid)];

    await stack.redis.stop();
    const refused = await publish({ room: 'project:7', data: 'lost' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(problem.parse(await refused.json())).toMatchObject({ code: 'unavailable', retryable: true });

    await stack.redis.restart();
    const ready = [stack.api.opsUrl, ...stack.nodes.map(({ opsUrl }) => opsUrl)].map((url) =>
      eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200)),
    );
    await Promise.all(ready);
    expect((await publish({ room: 'project:7', data: 'back' })).status).toBe(200);
    const told = [{ data: 'back', room: 'project:7' }];
    expect(await heardBy([alice, bob])).toEqual([told, told]);
    expect([stack.api.process.pid, ...stack.nodes.map(({ pid }) => pid)]).toEqual(pids);
  });
});

describe('the api behind the public port', () => {
  it('tells of both nodes and their connections', async () => {
    await using _alice = await connectTo('n1');
    await using _bob = await connectTo('n2');
    await eventually(async () => {
      const response = await fetch(`${stack.url}/v1/cluster`, {
        headers: { authorization: `Bearer ${stack.apiKey}` },
      });
      const cluster = clusterResponse.parse(await response.json());
      expect(cluster).toMatchObject({ mode: 'redis', connections: 2, warnings: [] });
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
