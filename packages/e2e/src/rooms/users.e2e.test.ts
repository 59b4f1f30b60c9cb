import { type Client, createClient } from '@fanfare/client';
import { type Single, type Stack, startSingle, startStack } from '@fanfare/local';
import type { DirectMeta, EventMeta } from '@fanfare/protocol';
import { createPublisher } from '@fanfare/publisher';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Events {
  'user:hugged': string;
  'task:assigned': number;
}

interface Tab extends Disposable {
  readonly client: Client<Events>;
  /** What users have sent, in order. */
  readonly hugs: { text: string; meta: DirectMeta }[];
  /** What came into the inbox, in order. */
  readonly assigned: { id: number; meta: EventMeta }[];
  readonly resets: unknown[];
  /** Joins the inbox, from its newest events on. */
  openInbox(): Promise<void>;
}

/** A tab of a user's browser, connected. */
const openTab = async (server: Stack | Single, user: string, url: string = server.url): Promise<Tab> => {
  const client = createClient<Events>({
    url,
    token: () => server.issueToken({ sub: user }),
    backoff: { delayMs: 100 },
  });
  const [hugs, assigned, resets]: [Tab['hugs'], Tab['assigned'], unknown[]] = [[], [], []];
  client.onDirect({ 'user:hugged': (text, meta) => hugs.push({ text, meta }) });
  await eventually(() => expect(client.state.status).toBe('connected'));
  return {
    client,
    hugs,
    assigned,
    resets,
    openInbox: async () => {
      const handlers = { 'task:assigned': (id: number, meta: EventMeta) => void assigned.push({ id, meta }) };
      const onReset = (reset: unknown) => void resets.push(reset);
      await client.join('inbox:me', handlers, { replay: 100, onReset }).joined();
    },
    [Symbol.dispose]: () => client.close(),
  };
};

const publisherOf = ({ url, apiKey }: Stack | Single) => createPublisher<Events>({ url, apiKey });

const hugsOf = (tabs: readonly Tab[]) => tabs.map(({ hugs }) => hugs.map(({ text }) => text));
const idsOf = ({ assigned }: Tab) => assigned.map(({ id }) => id);

describe('users of a cluster of two nodes', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ nodes: 2 });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const onNode = (id: string) => stack.nodes.find((node) => node.id === id)?.url;

  it('a hug is heard by all tabs of giver and receiver and by nobody else, an unknown user is an error (rows 15, 36)', async () => {
    using giver = await openTab(stack, 'gil', onNode('n1'));
    using giverElsewhere = await openTab(stack, 'gil', onNode('n2'));
    using receiver = await openTab(stack, 'rob', onNode('n1'));
    using receiverElsewhere = await openTab(stack, 'rob', onNode('n2'));
    using stranger = await openTab(stack, 'eve', onNode('n1'));
    using strangerElsewhere = await openTab(stack, 'eve', onNode('n2'));

    await giver.client.send('rob', 'user:hugged', 'for rob');
    const both = [giverElsewhere, receiver, receiverElsewhere];
    await eventually(() => expect(hugsOf(both)).toEqual([['for rob'], ['for rob'], ['for rob']]));
    for (const { hugs } of both) expect(hugs[0]?.meta).toMatchObject({ from: 'gil', to: 'rob' });

    // What comes later on the same ways shows that nothing else is under way.
    await giver.client.send('eve', 'user:hugged', 'for eve');
    await eventually(() => expect(hugsOf([stranger, strangerElsewhere])).toEqual([['for eve'], ['for eve']]));
    expect(hugsOf([giver, receiver, receiverElsewhere])).toEqual([[], ['for rob'], ['for rob']]);

    await expect(giver.client.send('nobody', 'user:hugged', 'x')).rejects.toMatchObject({
      code: 'user_offline',
      retryable: false,
    });
    await giver.client.send('rob', 'user:hugged', 'still there');
    await eventually(() => expect(receiver.hugs.at(-1)?.text).toBe('still there'));
  });

  it('publishes to users in a batch, and retries double nothing', async () => {
    const publisher = publisherOf(stack);
    const users = ['🤗', 'a/b', '..', 'x'.repeat(256)];
    const publications = users.map(
      (user) => ({ user, event: 'task:assigned', data: 1, id: 'once' }) as const,
    );
    for (const duplicate of [false, true]) {
      const results = await publisher.publishMany(publications);
      expect(results).toMatchObject(users.map(() => [{ room: 'inbox:me', offset: 1, duplicate }]));
    }
  });

  it.each(['🤗!', 'a/c', 'a:b', '~', '%2F', 'inbox:me', 'q?x=1#y', 'x'.repeat(255)])(
    'the route for the inbox of %j works through the load balancer',
    async (user) => {
      const response = await fetch(`${stack.url}/v1/users/${encodeURIComponent(user)}/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ event: 'task:assigned', data: 7 }),
      });
      expect(response.status).toBe(200);
      using tab = await openTab(stack, user);
      await tab.openInbox();
      expect(idsOf(tab)).toEqual([7]);
    },
  );

  // The last one: nginx reads its configuration anew for the node, and lets go of connections that are kept for later.
  it('a notification waits for one who is away, and survives the death of their node, once and in order', async () => {
    const publisher = publisherOf(stack);
    const notify = (id: number) => publisher.publish({ user: 'amy', event: 'task:assigned', data: id });
    expect(await notify(1)).toMatchObject({ room: 'inbox:me', offset: 1, duplicate: false });
    using amy = await openTab(stack, 'amy');
    using eve = await openTab(stack, 'eve');
    await Promise.all([amy.openInbox(), eve.openInbox()]);
    expect(idsOf(amy)).toEqual([1]);

    const node = amy.client.socket.io.engine.id?.slice('12345678901234567890_'.length) ?? '';
    stack.nodes.find(({ id }) => id === node)?.process.kill('SIGKILL');
    for (let id = 2; id <= 20; id += 1) await notify(id);

    const expected = Array.from({ length: 20 }, (_, i) => i + 1);
    await eventually(() => expect(idsOf(amy)).toEqual(expected), { timeoutMs: 15_000 });
    expect(amy.assigned.map(({ meta }) => [meta.room, meta.offset])).toEqual(
      expected.map((offset) => ['inbox:me', offset]),
    );
    expect(amy.resets).toEqual([]);
    await publisher.publish({ user: 'eve', event: 'task:assigned', data: 0 });
    await eventually(() => expect(idsOf(eve)).toEqual([0]), { timeoutMs: 15_000 });
    await stack.startNode(node);
  });
});

it('users of a machine without Redis send to each other, and hear their inbox while they are there', async () => {
  await using single = await startSingle({ workers: 2 });
  using giver = await openTab(single, 'gil');
  using receiver = await openTab(single, 'rob');
  using receiverElsewhere = await openTab(single, 'rob');
  using stranger = await openTab(single, 'eve');
  await expect(giver.client.send('nobody', 'user:hugged', 'x')).rejects.toMatchObject({
    code: 'user_offline',
  });
  await giver.client.send('rob', 'user:hugged', 'for rob');
  await giver.client.send('eve', 'user:hugged', 'for eve');
  const tabs = [receiver, receiverElsewhere, stranger];
  await eventually(() => expect(hugsOf(tabs)).toEqual([['for rob'], ['for rob'], ['for eve']]));

  await Promise.all(tabs.map((tab) => tab.openInbox()));
  const publisher = publisherOf(single);
  const told = await publisher.publish({ user: 'rob', event: 'task:assigned', data: 1 });
  expect(told).toEqual({ room: 'inbox:me', epoch: '', offset: null, duplicate: false });
  await publisher.publish({ user: 'eve', event: 'task:assigned', data: 2 });
  await eventually(() => expect(tabs.map(idsOf)).toEqual([[1], [1], [2]]));
  expect(receiver.assigned[0]?.meta.room).toBe('inbox:me');
});
