import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, type Example, startExample } from '../test/start.ts';

let owned: AsyncDisposableStack;
let chat: Example;

beforeAll(async () => {
  owned = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-chat-'));
  owned.defer(() => rm(dir, { recursive: true, force: true }));
  chat = owned.use(await startExample('chat', { CHAT_DB: join(dir, 'chat.sqlite') }));
});
afterAll(() => owned.disposeAsync());

const joinAs = async (username: string, url: string, options = {}): Promise<Client> => {
  const client = await chat.connect(url, options);
  expect(await client.ask('user-join', { username })).toEqual({ status: 'ok' });
  return client;
};

const says = (message: string) => (data: unknown) =>
  typeof data === 'object' && data !== null && 'message' in data && data.message === message;

const names = (list: unknown): string[] =>
  Array.isArray(list) ? list.map(({ username }: { username: string }) => username) : [];

/** Waits until the newest list of users that a client heard has these names in it. */
const seesUsers = (client: Client, wanted: string[]) =>
  client.hears(
    'user-list',
    (list) =>
      wanted.every((name) => names(list).includes(name)) && client.heard('user-list').at(-1)?.[0] === list,
    { timeoutMs: 10_000 },
  );

// The first test, as nobody else may be connected.
it('a newcomer is told how many are online on all nodes (row 5)', async () => {
  const [one, two] = chat.nodes;
  await using alice = await chat.connect(one);
  expect(await alice.hears('welcome')).toEqual({ message: 'Welcome to the chat', onlineUsers: 1 });
  await using bob = await joinAs('bob', two);
  // Once alice's node knows bob by name, it knows how many are on his node.
  await seesUsers(alice, ['bob']);
  await using carol = await chat.connect(one);
  expect(await carol.hears('welcome')).toMatchObject({ onlineUsers: 3 });
  await bob.ask('chat-message', { message: 'hi' });
});

it('who joins is announced to everybody, and all nodes have the same list (row 28)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using bob = await joinAs('bob', chat.nodes[1]);
  for (const client of [alice, bob]) {
    await client.hears('system-message', says('bob joined the chat'));
    await seesUsers(client, ['alice', 'bob']);
  }
  const [first, second] = [alice, bob].map((client) => client.heard('user-list').at(-1)?.[0]);
  expect(first).toEqual(second);
});

it('who leaves is announced on every node, and gone from the list (row 28)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using dora = await joinAs('dora', chat.nodes[1]);
  await seesUsers(alice, ['dora']);
  dora.socket.disconnect();
  await alice.hears('system-message', says('dora left the chat'));
  await alice.hears('user-list', (list) => names(list).includes('alice') && !names(list).includes('dora'));
});

it('a second tab of somebody neither joins nor leaves (row 28)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using erik = await joinAs('erik', chat.nodes[0]);
  await seesUsers(alice, ['erik']);
  await using tab = await joinAs('erik', chat.nodes[1]);
  const ids = (list: unknown) => (Array.isArray(list) ? list.map(({ id }: { id: string }) => id) : []);
  await alice.hears('user-list', (list) => ids(list).includes(tab.socket.id ?? ''));
  tab.socket.disconnect();
  erik.socket.disconnect();
  await alice.hears('system-message', says('erik left the chat'));
  const erikSays = alice.heard('system-message').filter(([data]) => JSON.stringify(data).includes('erik'));
  expect(erikSays).toHaveLength(2);
});

it('a message reaches everybody, the sender too, and is acknowledged with its id (rows 25, 28)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using bob = await joinAs('bob', chat.nodes[1]);
  const answer = (await alice.ask('chat-message', { message: 'hello' })) as { id: string };
  expect(answer).toEqual({ status: 'ok', id: expect.any(String) });
  for (const client of [alice, bob]) {
    expect(await client.hears('chat-message', says('hello'))).toMatchObject({
      id: answer.id,
      username: 'alice',
    });
  }
});

it.each(['chat-message', 'save-message', 'message.send', 'typing', 'image'])(
  '%s of somebody who has not joined is answered "Not authenticated" (row 28)',
  async (event) => {
    await using stranger = await chat.connect(chat.nodes[0]);
    expect(await stranger.ask(event, { message: 'hello' })).toEqual({
      status: 'error',
      error: 'Not authenticated',
    });
  },
);

it.each([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'text'],
  ['an object without one', {}],
  ['white space', { message: '  ' }],
  ['2001 characters', { message: 'x'.repeat(2001) }],
])('%s is no message and answered with an error (row 25)', async (_what, payload) => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  expect(await alice.ask('chat-message', payload)).toEqual({ status: 'error', error: expect.any(String) });
  // Without an ack it goes nowhere, and the socket lives on.
  alice.socket.emit('chat-message', payload);
  expect(await alice.ask('chat-message', { message: 'still here' })).toMatchObject({ status: 'ok' });
});

it('a message is saved once on whatever node, and says so (row 25)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using bob = await joinAs('bob', chat.nodes[1]);
  const ids = await Promise.all(
    [alice, bob, alice, bob].map((client) => client.ask('save-message', { message: 'keep this' })),
  );
  expect(ids).toEqual(ids.map(() => ({ status: 'ok', id: expect.any(Number) })));
  expect(new Set(ids.map((answer) => (answer as { id: number }).id)).size).toBe(4);
  expect(await alice.ask('save-message', { message: '' })).toEqual({
    status: 'error',
    error: 'The message is missing',
  });
});

it('a client whose node does not answer is told by its own timeout (row 25)', async () => {
  await using bob = await joinAs('bob', chat.nodes[1]);
  const node = chat.stack.nodes[1]?.process;
  node?.kill('SIGSTOP');
  try {
    await expect(bob.socket.timeout(300).emitWithAck('save-message', { message: 'anyone?' })).rejects.toThrow(
      'timed out',
    );
  } finally {
    node?.kill('SIGCONT');
  }
  expect(await bob.ask('save-message', { message: 'again' })).toMatchObject({ status: 'ok' });
});

it('message.send comes back as message.sent with the name, to the sender too (row 32)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using bob = await joinAs('bob', chat.nodes[1]);
  await bob.ask('message.send', { message: 'from bob' });
  for (const client of [alice, bob]) {
    expect(await client.hears('message.sent')).toEqual({ username: 'bob', message: 'from bob' });
  }
});

it('typing and stop-typing reach the others, never who types (row 29)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using near = await joinAs('near', chat.nodes[0]);
  await using far = await joinAs('far', chat.nodes[1]);
  for (const event of ['typing', 'stop-typing']) {
    expect(await alice.ask(event)).toEqual({ status: 'ok' });
    for (const client of [near, far]) expect(await client.hears(event)).toEqual({ username: 'alice' });
  }
  await alice.ask('chat-message', { message: 'done typing' });
  await alice.hears('chat-message', says('done typing'));
  expect([...alice.heard('typing'), ...alice.heard('stop-typing')]).toEqual([]);
});

it('a picture arrives byte for byte on another node (row 24)', async () => {
  await using alice = await joinAs('alice', chat.nodes[0]);
  await using bob = await joinAs('bob', chat.nodes[1]);
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
  expect(await alice.ask('image', { type: 'image/png', bytes })).toEqual({ status: 'ok' });
  expect(await bob.hears('image')).toMatchObject({ username: 'alice', type: 'image/png', bytes });
  expect(await alice.ask('image', { type: 'text/html', bytes })).toMatchObject({ status: 'error' });
});

it('the lists are the same again after Redis was away (row 28)', async () => {
  await using ida = await joinAs('ida', chat.nodes[0]);
  await using jan = await joinAs('jan', chat.nodes[1]);
  for (const client of [ida, jan]) await seesUsers(client, ['ida', 'jan']);
  await chat.stack.redis.stop();
  await ida.hears('system-message', says('jan left the chat'), { timeoutMs: 10_000 });
  await jan.hears('system-message', says('ida left the chat'), { timeoutMs: 10_000 });
  expect(await ida.ask('chat-message', { message: 'to my node' })).toMatchObject({ status: 'ok' });
  await chat.stack.redis.restart();
  for (const client of [ida, jan]) await seesUsers(client, ['ida', 'jan']);
});

// The last test, as one of the nodes ends.
it('who was on a node that is killed has left; who comes back elsewhere has not (rows 23, 28)', async () => {
  const [doomed, living] = [chat.stack.nodes[1], chat.stack.nodes[0]];
  await using alice = await joinAs('alice', living?.url ?? '');
  await using _gone = await joinAs('gone', doomed?.url ?? '', { reconnection: false });
  await using _back = await joinAs('back', doomed?.url ?? '', { reconnection: false });
  await seesUsers(alice, ['alice', 'gone', 'back']);

  doomed?.process.kill('SIGKILL');
  await using again = await joinAs('back', chat.stack.url);
  await alice.hears('system-message', says('gone left the chat'), { timeoutMs: 10_000 });
  await seesUsers(again, ['alice', 'back']);
  expect(names(alice.heard('user-list').at(-1)?.[0])).not.toContain('gone');
  const heardOfBack = alice
    .heard('system-message')
    .filter(([data]) => JSON.stringify(data).includes('"back '));
  expect(heardOfBack).toHaveLength(1);
});
