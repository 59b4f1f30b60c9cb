import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, type Example, startExample } from '../test/start.ts';

let example: Example;
beforeAll(async () => {
  example = await startExample('hug');
});
afterAll(() => example[Symbol.asyncDispose]());

const enter = async (name: string, url: string, options = {}): Promise<Client> => {
  const client = await example.connect(url, options);
  expect(await client.ask('username.create', name)).toEqual({ status: 'ok', id: client.socket.id });
  return client;
};

const has =
  ({ socket }: Client, id = socket.id) =>
  (data: unknown) =>
    JSON.stringify(data).includes(String(id));

it('everybody sees who comes and goes, on every node (row 35)', async () => {
  await using watcher = await example.connect(example.nodes[1]);
  await using alice = await enter('alice', example.nodes[0]);
  expect(await watcher.hears('user.add', has(alice))).toEqual({ id: alice.socket.id, username: 'alice' });
  expect(await alice.hears('user.add', has(alice))).toEqual({ id: alice.socket.id, username: 'alice' });
  const { id } = alice.socket;
  alice.socket.disconnect();
  expect(await watcher.hears('user.remove', (gone) => gone === id)).toBe(id);
});

it('a new socket gets the users who are there, of all nodes (row 35)', async () => {
  await using alice = await enter('alice', example.nodes[0]);
  await using bob = await enter('bob', example.nodes[1]);
  await bob.hears('user.add', has(bob));
  // Both nodes know both once each has told its own users of the other.
  await alice.hears('user.add', has(bob));
  for (const url of example.nodes) {
    await using late = await example.connect(url);
    expect(await late.hears('users.list')).toEqual(
      expect.arrayContaining([
        { id: alice.socket.id, username: 'alice' },
        { id: bob.socket.id, username: 'bob' },
      ]),
    );
  }
});

it('a hug reaches its giver and its receiver and nobody else (rows 15, 36)', async () => {
  await using alice = await enter('alice', example.nodes[0]);
  await using bob = await enter('bob', example.nodes[1]);
  await using near = await enter('near', example.nodes[0]);
  await using far = await enter('far', example.nodes[1]);
  await alice.hears('user.add', has(bob));
  expect(await alice.ask('user.hug', bob.socket.id)).toEqual({ status: 'ok' });
  for (const client of [alice, bob]) {
    expect(await client.hears('user.hugged')).toEqual({ from: 'alice', to: 'bob' });
  }
  // What a node tells a socket arrives in order: after this one, the others would have heard the first.
  await bob.hears('user.add', has(near));
  await alice.hears('user.add', has(far));
  expect(await bob.ask('user.hug', near.socket.id)).toEqual({ status: 'ok' });
  expect(await alice.ask('user.hug', far.socket.id)).toEqual({ status: 'ok' });
  for (const client of [near, far]) {
    await client.hears('user.hugged');
    expect(client.heard('user.hugged')).toHaveLength(1);
  }
});

it.each([['no-such-id'], [''], [undefined], [null], [{}], [['a']], ['project:1']])(
  'a hug for %j is answered with an error, and the node goes on (row 36)',
  async (id) => {
    await using alice = await enter('alice', example.nodes[0]);
    expect(await alice.ask('user.hug', id)).toEqual({ status: 'error', error: 'There is no such user' });
    alice.socket.emit('user.hug', id);
    await using stranger = await example.connect(example.nodes[0]);
    expect(await stranger.ask('user.hug', alice.socket.id)).toMatchObject({ status: 'error' });
    expect(alice.heard('user.hugged')).toEqual([]);
  },
);

it('a name has 1 to 40 characters, and stays (row 35)', async () => {
  await using alice = await example.connect(example.nodes[0]);
  for (const name of ['', '  ', 'x'.repeat(41), 7, undefined]) {
    expect(await alice.ask('username.create', name)).toMatchObject({ status: 'error' });
  }
  expect(await alice.ask('username.create', 'alice')).toMatchObject({ status: 'ok' });
  expect(await alice.ask('username.create', 'mallory')).toMatchObject({ status: 'error' });
});

// The last test, as one of the nodes ends.
it('the users of a node that is killed are removed everywhere (row 35)', async () => {
  await using alice = await enter('alice', example.nodes[0]);
  await using bob = await enter('bob', example.nodes[1], { reconnection: false });
  const { id } = bob.socket;
  await alice.hears('user.add', has(bob));
  example.stack.nodes[1]?.process.kill('SIGKILL');
  await alice.hears('user.remove', (gone) => gone === id, { timeoutMs: 10_000 });
  expect(await alice.ask('user.hug', id)).toEqual({ status: 'error', error: 'There is no such user' });
});
