import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepIn, nothingHeard, openSession, type Session } from '../sdk/session.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 2 });
});
afterAll(() => stack[Symbol.asyncDispose]());

const order = async (
  method: 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<{ status: number; answer: unknown }> => {
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stack.apiKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, answer: await response.json() };
};

const GIVEN = { at: expect.any(Number), until: expect.any(Number) };
const nodes = (): string[] => stack.nodes.map(({ id }) => id);

/** A session on each node with one token, and what they hear of a room. */
const onBothNodes = async (room: string, token: string) => {
  const heard = nothingHeard();
  const sessions = nodes().map((node) => openSession(stack, { node, token }));
  const { handlers, onReset } = keepIn(heard);
  const handles = sessions.map(({ client }) => client.join(room, handlers, { onReset }));
  return { heard, sessions, handles };
};

const closeAll = (sessions: readonly Session[]): void => {
  for (const session of sessions) session[Symbol.dispose]();
};

describe('over HTTP', () => {
  it('a revoked user hears nothing more on any node, and a client with a fixed token gives up (G6)', async () => {
    const token = await stack.issueToken({ sub: 'mallory' });
    const { heard, sessions, handles } = await onBothNodes('project:1', token);
    await Promise.all(handles.map((handle) => handle.joined()));

    expect(await order('POST', '/v1/revocations', { user: 'mallory' })).toEqual({
      status: 200,
      answer: GIVEN,
    });
    const states = await Promise.all(sessions.map((session) => session.status('closed')));
    for (const { error } of states) expect(error).toMatchObject({ code: 'closed', message: 'token_revoked' });

    using publisher = openSession(stack);
    await publisher.client.publish('project:1', 'test:told', 1);
    using again = openSession(stack, { token });
    expect((await again.status('closed')).error).toMatchObject({ code: 'token_revoked' });
    expect(heard.told).toEqual([]);
    closeAll(sessions);
  });

  it('a user who is removed from a room is out of it, and back when added', async () => {
    const [user, room] = ['ann/e ü', 'project:2'];
    const path = `/v1/rooms/${room}/users/${encodeURIComponent(user)}`;
    const { heard, sessions, handles } = await onBothNodes(room, await stack.issueToken({ sub: user }));
    await Promise.all(handles.map((handle) => handle.joined()));

    expect((await order('DELETE', path)).status).toBe(200);
    await eventually(() => expect(handles.map(({ state }) => state)).toEqual(['left', 'left']));
    using publisher = openSession(stack);
    await publisher.client.publish(room, 'test:told', 1);
    await Promise.all(
      sessions.map(({ client }) => expect(client.publish(room, 'test:told', 0)).rejects.toThrow()),
    );
    expect(heard.told).toEqual([]);

    expect((await order('POST', path)).status).toBe(200);
    await eventually(() => expect(handles.map(({ state }) => state)).toEqual(['joined', 'joined']));
    await publisher.client.publish(room, 'test:told', 2);
    await eventually(() => expect(heard.told.filter((n) => n === 2)).toHaveLength(2));
    closeAll(sessions);
  });

  it('a user who is disconnected comes back when that is wanted', async () => {
    using session = openSession(stack, { token: await stack.issueToken({ sub: 'bob' }) });
    await session.connected();
    const first = session.client.socket.id;
    expect((await order('POST', '/v1/users/bob/disconnect', { reconnect: true })).status).toBe(200);
    await eventually(() => expect(session.client.socket.id).not.toBe(first));
    await session.connected();
    expect((await order('POST', '/v1/users/bob/disconnect')).status).toBe(200);
    expect((await session.status('closed')).error).toMatchObject({ message: 'disconnected' });
  });

  it.each([
    ['/v1/revocations', {}],
    ['/v1/revocations', { user: 'a', jti: 'b' }],
    ['/v1/revocations', { user: 'a', namespace: '/nowhere' }],
    ['/v1/users/bob/disconnect', { reconnect: 'yes' }],
    ['/v1/rooms/no-room/users/bob', undefined],
  ])('POST %s with %j is refused', async (path, body) => {
    expect((await order('POST', path, body)).status).toBeGreaterThanOrEqual(400);
  });
});
