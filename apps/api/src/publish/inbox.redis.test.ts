import { inboxRoom } from '@fanfare/cluster';
import { batchResponse, problem, publishResponse, roomsResponse } from '@fanfare/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, startApi } from '../../test/start-api.ts';

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const EVENT = { event: 'task:assigned', data: { id: 7 } };

const post = (path: string, body: unknown, key: string = KEYS.billing) =>
  fetch(`${api.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  });

const inboxPath = (user: string) => `/v1/users/${encodeURIComponent(user)}/publish`;

/** Publishes to a user and returns the one result. */
const tell = async (user: string, changes: Record<string, unknown> = {}, key?: string) => {
  const response = await post(inboxPath(user), { ...EVENT, ...changes }, key);
  expect(response.status).toBe(200);
  return publishResponse.parse(await response.json()).results[0];
};

const codeOf = async (response: Response) => problem.parse(await response.json()).code;

describe("a publish to a user's inbox", () => {
  it('answers as a publish does, with the name that the user knows', async () => {
    const first = await tell('alice');
    expect(first).toEqual({ room: 'inbox:me', epoch: expect.any(String), offset: 1, duplicate: false });
    expect(await tell('alice')).toMatchObject({ epoch: first?.epoch, offset: 2 });
  });

  it('is in the log once for an id, of this API key, user and namespace', async () => {
    expect(await tell('bob', { id: 'x' })).toMatchObject({ offset: 1, duplicate: false });
    expect(await tell('bob', { id: 'x', data: 2 })).toMatchObject({ offset: 1, duplicate: true });
    expect(await tell('bob', { id: 'x' }, KEYS.webshop)).toMatchObject({ offset: 2, duplicate: false });
    expect(await tell('bobby', { id: 'x' })).toMatchObject({ offset: 1, duplicate: false });
    expect(await tell('bob', { id: 'x', namespace: '/chat' })).toMatchObject({ offset: 1, duplicate: false });
  });

  it('may name the user in a publish and in a batch, beside rooms', async () => {
    expect((await post('/v1/publish', { ...EVENT, user: 'carol' })).status).toBe(200);
    const commands = [
      { ...EVENT, user: 'carol' },
      { ...EVENT, room: 'project:1' },
      { ...EVENT, user: '..' },
    ];
    const { results } = batchResponse.parse(await (await post('/v1/batch', { commands })).json());
    expect(results.flatMap((result) => result.results)).toMatchObject([
      { room: 'inbox:me', offset: 2 },
      { room: 'project:1', offset: 1 },
      { room: 'inbox:me', offset: 1 },
    ]);
  });

  it.each(['🤗', 'x'.repeat(256), '~', 'a:b', 'a/b', '%2F', '?', '#', 'inbox:me', '*'])(
    'finds the user %j',
    async (user) => {
      expect(await tell(user)).toMatchObject({ offset: 1 });
      expect(await tell(user)).toMatchObject({ offset: 2 });
    },
  );

  it('takes neither rooms nor exceptions', async () => {
    for (const change of [{ room: 'project:1' }, { except: ['alice'] }, { user: 'bob' }]) {
      const response = await post(inboxPath('alice'), { ...EVENT, ...change });
      expect([response.status, await codeOf(response)]).toEqual([400, 'invalid_payload']);
    }
  });

  it.each([
    ['x'.repeat(257), {}, 400, 'invalid_payload'],
    ['alice', { event: 'user:send' }, 400, 'invalid_payload'],
    ['alice', { data: 'x'.repeat(70_000) }, 413, 'payload_too_large'],
    ['alice', { namespace: '/other' }, 404, 'not_found'],
  ])('is refused for %s with %j: %i %s', async (user, changes, status, code) => {
    const response = await post(inboxPath(user), { ...EVENT, ...changes });
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  it('needs an API key', async () => {
    expect((await post(inboxPath('alice'), EVENT, 'another-key-00000')).status).toBe(401);
  });
});

describe('an inbox as a room', () => {
  const ask = (path: string, method = 'GET') =>
    fetch(`${api.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${KEYS.billing}` },
    });

  it('cannot be published to, read or cleared, whatever it is called', async () => {
    await tell('dave');
    for (const room of ['inbox:me', inboxRoom('dave')]) {
      const answers = [
        await post('/v1/publish', { ...EVENT, room }),
        await post('/v1/publish', { ...EVENT, rooms: ['project:1', room] }),
        await post('/v1/publish', { ...EVENT, room, ephemeral: true }),
        await ask(`/v1/rooms/${room}/history`),
        await ask(`/v1/rooms/${room}/history`, 'DELETE'),
      ];
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
      for (const answer of answers) expect(await codeOf(answer)).toBe('invalid_payload');
    }
  });

  it('is not listed', async () => {
    await tell('erin');
    await post('/v1/publish', { ...EVENT, room: 'project:listed' });
    const { rooms } = roomsResponse.parse(await (await ask('/v1/rooms?limit=1000')).json());
    const names = rooms.map(({ room }) => room);
    expect(names).toContain('project:listed');
    expect(names.filter((name) => name.startsWith('inbox:'))).toEqual([]);
  });
});
