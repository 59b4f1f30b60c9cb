import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepIn, nothingHeard, openSession, range, type Session, TALKATIVE } from './session.ts';

let stack: Stack;
let rooms = 0;

beforeAll(async () => {
  const FANFARE_RETENTION = 'short:*=3/1mb/24h, **=1000/1mb/24h';
  stack = await startStack({ nodes: 2, env: { ...TALKATIVE, FANFARE_RETENTION } });
});
afterAll(() => stack[Symbol.asyncDispose]());

const newRoom = (kind = 'project'): string => {
  rooms += 1;
  return `${kind}:${rooms}`;
};

/** Joins and keeps what is heard. */
const listen = async (session: Session, room: string, options: { replay?: number } = {}) => {
  const heard = nothingHeard();
  const { handlers, onReset } = keepIn(heard);
  const handle = session.client.join(room, handlers, { ...options, onReset });
  await handle.joined();
  return { ...heard, handle };
};

const publishAll = async (session: Session, room: string, numbers: readonly number[]): Promise<void> => {
  for (const n of numbers) await session.client.publish(room, 'test:told', n);
};

const joinsOf = (session: Session) => session.asked.filter(({ name }) => name === 'room:join');

describe('a client of a cluster of two nodes', () => {
  it('whose node is killed gets exactly what it missed on another node, in order and once (G2)', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const first = listener.node;
    const other = stack.nodes.find(({ id }) => id !== first)?.id ?? '';
    using publisher = openSession(stack, { node: other });
    const room = newRoom();
    const { told, resets } = await listen(listener, room);
    await publishAll(publisher, room, range(1, 20));

    stack.nodes.find(({ id }) => id === first)?.process.kill('SIGKILL');
    await publishAll(publisher, room, range(21, 120));
    await eventually(() => expect(told).toHaveLength(120), { timeoutMs: 15_000 });
    await publishAll(publisher, room, range(121, 130));
    await eventually(() => expect(told.at(-1)).toBe(130));

    expect(told).toEqual(range(1, 130));
    expect(resets).toEqual([]);
    expect(listener.node).toBe(other);
    await stack.startNode(first);
  });

  it('joins all its rooms again in as few requests as can be, each from its position', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const names = Array.from({ length: 120 }, () => newRoom());
    const joined = await Promise.all(names.map((room) => listen(listener, room)));
    expect(joinsOf(listener)).toHaveLength(3);
    for (const room of names.slice(0, 3)) await publishAll(publisher, room, [1]);
    await eventually(() => expect(joined.flatMap(({ told }) => told)).toEqual([1, 1, 1]));

    listener.asked.length = 0;
    listener.client.socket.emit('test:cut');
    await listener.status('waiting');
    await publishAll(publisher, names[0] ?? '', [2, 3]);
    await eventually(() => expect(joined.every(({ handle }) => handle.state === 'joined')).toBe(true));
    expect(joinsOf(listener)).toHaveLength(3);
    expect(joined.slice(0, 3).map(({ told }) => told)).toEqual([[1, 2, 3], [1], [1]]);
    expect(joined.flatMap(({ resets }) => resets)).toEqual([]);
  });

  it('is told at once of what no gateway would take, and the other rooms of the moment are joined', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const others = [newRoom(), newRoom()].map((room) => listener.client.join(room, {}, { replay: 0 }));
    const bad = [{ replay: 501 }, { replay: -1 }, { replay: 1.5 }, { since: { epoch: 'e', offset: -1 } }];
    for (const options of bad) {
      expect(() => listener.client.join(newRoom(), {}, options)).toThrow(
        expect.objectContaining({ code: 'invalid_payload' }),
      );
    }
    await Promise.all(others.map((handle) => handle.joined()));
    expect(joinsOf(listener)).toHaveLength(1);
  });

  it('asks for each room alone when a gateway cannot read a request for several', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const [odd, ...names] = [newRoom(), newRoom(), newRoom()];
    listener.client.socket.onAnyOutgoing((_, payload) => {
      for (const one of payload.rooms) if (one.room === odd) one.replay = 501;
    });
    const refused = listener.client.join(odd ?? '', {});
    const others = names.map((room) => listener.client.join(room, {}));
    await expect(refused.joined()).rejects.toMatchObject({ code: 'invalid_payload' });
    await Promise.all(others.map((handle) => handle.joined()));
  });

  it('hears an event once that comes twice, and asks the log for what is missing', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom();
    const { told, metas, handle } = await listen(listener, room);
    await publishAll(publisher, room, [1, 2, 3]);
    await eventually(() => expect(told).toEqual([1, 2, 3]));

    const { socket } = listener.client;
    const again = metas.map((meta, i) => ['test:told', i + 1, meta]);
    await socket.emitWithAck('test:tell', again);
    // Behind the client's back it is not a member while two events are published.
    await socket.emitWithAck('room:leave', { room });
    await publishAll(publisher, room, [4, 5]);
    await socket.emitWithAck('room:join', { room });
    await publishAll(publisher, room, [6]);
    await eventually(() => expect(told).toEqual(range(1, 6)));
    await publishAll(publisher, room, [7]);
    await eventually(() => expect(told).toEqual(range(1, 7)));
    expect(handle.position?.offset).toBe(7);
  });

  it('that joined before anything was published gets the first events too when it was away (G2)', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom();
    const { told, resets, handle } = await listen(listener, room);
    expect(handle.position).toEqual({ epoch: '', offset: 0 });
    listener.client.close();
    await publishAll(publisher, room, [1, 2, 3]);
    listener.client.connect();
    await eventually(() => expect(told).toEqual([1, 2, 3]));
    expect(resets).toEqual([]);
  });

  it('asks ever more seldom where asking does not help', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom();
    const { told, handle } = await listen(listener, room);
    await publishAll(publisher, room, [1]);
    await eventually(() => expect(told).toEqual([1]));
    const { socket } = listener.client;
    const meta = { room, id: 'x', at: 1, epoch: handle.position?.epoch };
    for (const offset of range(100, 200)) {
      await socket.emitWithAck('test:tell', [['test:told', 0, { ...meta, offset }]]);
    }
    expect(joinsOf(listener).length).toBeLessThan(6);
    await publishAll(publisher, room, [2]);
    await eventually(() => expect(told).toEqual([1, 2]));
    await handle.joined();
  });

  it('is told that it cannot have what it missed when the log is shorter than its absence', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom('short');
    const { told, resets, handle } = await listen(listener, room);
    await publishAll(publisher, room, [1]);
    await eventually(() => expect(told).toEqual([1]));
    const epoch = handle.position?.epoch;

    listener.client.close();
    await publishAll(publisher, room, range(2, 6));
    listener.client.connect();
    await eventually(() => expect(resets).toEqual([{ room, epoch, offset: 6, reason: 'retention' }]));
    await publishAll(publisher, room, [7]);
    await eventually(() => expect(told).toEqual([1, 7]));
    expect(resets).toHaveLength(1);
  });

  it('reads a long past page by page before it is a member', async () => {
    using publisher = openSession(stack);
    const room = newRoom();
    await Promise.all(
      range(1, 700).map((n) => publisher.client.publish(room, 'test:told', n, { timeoutMs: 30_000 })),
    );
    using listener = openSession(stack);
    const heard = nothingHeard();
    const { handlers, onReset } = keepIn(heard);
    const start = await publisher.client.join(room, {}, { replay: 1 }).joined();
    const handle = listener.client.join(room, handlers, { since: { ...start, offset: 0 }, onReset });
    expect(await handle.joined()).toEqual(start);
    expect(heard.metas.map(({ offset }) => offset)).toEqual(range(1, 700));
    expect(joinsOf(listener)).toHaveLength(2);
  });
});

describe('several subscriptions to one room', () => {
  it('share the membership: each hears everything once, and the last one to leave ends it', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom();
    await publishAll(publisher, room, [1, 2, 3]);
    const a = await listen(listener, room);
    const b = await listen(listener, room, { replay: 2 });
    const c = await listen(listener, room);
    await publishAll(publisher, room, [4]);
    await eventually(() => expect([a.told, b.told, c.told]).toEqual([[4], [2, 3, 4], [4]]));

    a.handle.leave();
    await publishAll(publisher, room, [5]);
    await eventually(() => expect([a.told, b.told, c.told]).toEqual([[4], [2, 3, 4, 5], [4, 5]]));
    b.handle.leave();
    c.handle.leave();
    const { socket } = listener.client;
    await eventually(async () => expect(await socket.emitWithAck('test:rooms')).not.toContain(room));
    expect(listener.asked.filter(({ name }) => name === 'room:leave')).toHaveLength(1);
  });

  it('that is left while it is being joined is left at the gateway too', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const room = newRoom();
    const handle = listener.client.join(room, {});
    await Promise.resolve();
    expect(joinsOf(listener)).toHaveLength(1);
    handle.leave();
    const { socket } = listener.client;
    await eventually(() => expect(listener.asked.map(({ name }) => name)).toContain('room:leave'));
    expect(await socket.emitWithAck('test:rooms')).not.toContain(room);
    expect(handle.state).toBe('left');
    await expect(handle.joined()).rejects.toMatchObject({ code: 'closed' });
  });

  it('that is left after a sleep, before its connection is found dead, is not joined by the next one', async () => {
    using listener = openSession(stack);
    await listener.connected();
    const { socket } = listener.client;
    Reflect.set(socket.io.engine, '_pingTimeoutTime', Date.now() - 1);
    const room = newRoom();
    const handle = listener.client.join(room, {});
    const own = socket.emitWithAck('test:rooms');
    await Promise.resolve();
    handle.leave();
    await listener.status('waiting');
    await listener.connected();
    await own;
    await listener.client.join(newRoom(), {}).joined();
    expect(await socket.emitWithAck('test:rooms')).not.toContain(room);
  });
});

describe('publishing from a client', () => {
  it('tries again through an outage of Redis and is in the log once', async () => {
    using listener = openSession(stack);
    using publisher = openSession(stack);
    const room = newRoom();
    const { told } = await listen(listener, room);
    await publishAll(publisher, room, [1]);

    stack.redis.kill('SIGSTOP');
    const publishing = publisher.client.publish(room, 'test:told', 2, { timeoutMs: 30_000 });
    // The first tries are in Redis's input buffer by now, and will be carried out when it goes on.
    const tries = () => publisher.asked.filter(({ name }) => name === 'room:publish');
    await eventually(() => expect(tries().length).toBeGreaterThanOrEqual(4), { timeoutMs: 20_000 });
    stack.redis.kill('SIGCONT');
    expect(await publishing).toMatchObject({ offset: 2 });
    await publishAll(publisher, room, [3]);
    await eventually(() => expect(told).toEqual([1, 2, 3]), { timeoutMs: 10_000 });
    const ids = tries().map(({ payload }) => (payload as { id: string }).id);
    expect(new Set(ids).size).toBe(3);
  });

  it('gives up after its time with an error that may be retried', async () => {
    using publisher = openSession(stack, { url: 'http://127.0.0.1:9' });
    const publishing = publisher.client.publish(newRoom(), 'test:told', 1, { timeoutMs: 300 });
    await expect(publishing).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('is refused at once, and for good, where the token does not allow it', async () => {
    const token = await stack.issueToken({ rooms: { 'open:*': ['join'] } });
    using guest = openSession(stack, { token });
    const publishing = guest.client.publish('open:1', 'test:told', 1);
    await expect(publishing).rejects.toMatchObject({ code: 'forbidden', retryable: false });
    const secret = guest.client.join('secret:1', {});
    await expect(secret.joined()).rejects.toMatchObject({ code: 'forbidden' });
    expect(secret.state).toBe('refused');
    await expect(guest.client.signal('open:1', 'test:signalled', 'x')).rejects.toMatchObject({
      code: 'forbidden',
    });
    await guest.client.join('open:1', {}).joined();
  });

  it('is refused before it is sent where a gateway would end the connection for it', async () => {
    using alice = openSession(stack);
    using bob = openSession(stack);
    const room = newRoom();
    const heard: unknown[] = [];
    const keep = (data: unknown) => heard.push(data);
    await bob.client.join(room, { 'test:signalled': keep }).joined();
    await alice.connected();
    const { client } = alice;
    const session = client.socket.id;
    const large = 'ü'.repeat(60_000);
    const bytes = Buffer.alloc(120_000) as never;
    const refused = [
      client.publish(room, 'test:signalled', 'x'.repeat(65_535)),
      client.publish(room, 'test:signalled', large),
      client.signal(room, 'test:signalled', large),
      client.signal(room, 'test:signalled', bytes),
      client.send('you', 'test:signalled', large),
    ];
    for (const one of refused) await expect(one).rejects.toMatchObject({ code: 'payload_too_large' });
    const circle: unknown[] = [];
    circle.push(circle);
    for (const odd of [1n, circle]) {
      const calls = [
        client.publish(room, 'test:signalled', odd as never),
        client.signal(room, 'test:signalled', odd as never),
        client.send('you', 'test:signalled', odd as never),
      ];
      for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'invalid_payload' });
    }
    expect(alice.asked).toEqual([]);

    await client.publish(room, 'test:signalled', 'x'.repeat(65_534));
    await client.signal(room, 'test:signalled', 'ü'.repeat(49_800));
    await client.signal(room, 'test:signalled', Buffer.alloc(90_000) as never);
    await eventually(() => expect(heard).toHaveLength(3));
    expect(client.socket.id).toBe(session);
  });

  it('signals reach the other members only, and none that is offline', async () => {
    using alice = openSession(stack);
    using bob = openSession(stack);
    const room = newRoom();
    const heard: string[] = [];
    for (const [name, { client }] of Object.entries({ alice, bob })) {
      await client.join(room, { 'test:signalled': (text) => heard.push(`${name}: ${text}`) }).joined();
    }
    await alice.client.signal(room, 'test:signalled', 'typing');
    await eventually(() => expect(heard).toEqual(['bob: typing']));
    alice.client.close();
    await expect(alice.client.signal(room, 'test:signalled', 'x')).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('a client that asks for more than a gateway takes', () => {
  const startLimited = (env: Record<string, string>) =>
    startStack({ nodes: 1, env: { ...TALKATIVE, ...env } });
  const watch = (session: Session) => {
    const seen: string[] = [];
    session.client.onState(({ status }) => seen.push(status));
    return seen;
  };

  it('joins and leaves all its rooms as fast as it may, and keeps its connection', async () => {
    await using limited = await startLimited({
      FANFARE_LIMIT_SOCKET_JOINS: '500/100',
      FANFARE_LIMIT_SOCKET_EVENTS: '1000/60',
      FANFARE_LIMIT_SOCKET_REFUSALS: '1/110',
    });
    using session = openSession(limited);
    await session.connected();
    const seen = watch(session);
    const handles = range(1, 600).map((n) => session.client.join(`many:${n}`, {}));
    await Promise.all(handles.map((handle) => handle.joined()));
    expect(joinsOf(session).length).toBeLessThan(30);
    for (const handle of handles) handle.leave();
    const others = range(601, 1100).map((n) => session.client.join(`many:${n}`, {}));
    await Promise.all(others.map((handle) => handle.joined()));
    expect(await session.client.socket.emitWithAck('test:rooms')).toHaveLength(2 + 500);
    expect(seen).toEqual([]);
  });

  it('publishes a burst in as many tries as it needs, and keeps its connection', async () => {
    await using limited = await startLimited({
      FANFARE_LIMIT_SOCKET_EVENTS: '200/300',
      FANFARE_LIMIT_SOCKET_REFUSALS: '1/110',
    });
    using session = openSession(limited);
    await session.connected();
    const seen = watch(session);
    const room = newRoom();
    const options = { timeoutMs: 60_000 };
    const published = await Promise.all(
      range(1, 450).map((n) => session.client.publish(room, 'test:told', n, options)),
    );
    expect(new Set(published.map(({ offset }) => offset)).size).toBe(450);
    expect(session.asked.length).toBeLessThan(600);
    expect(seen).toEqual([]);
  });
});
