import { type Stack, startStack } from '@fanfare/local';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Client, openClient } from '../clients/stock-client.ts';
import { publish } from './http-api.ts';

const ROOM = 'test:failover';
const CLIENTS = 12;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ nodes: 3 });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** A test before this one may have ended nodes. */
beforeEach(async () => {
  for (const node of stack.nodes.filter(({ process }) => !process.isRunning)) await stack.startNode(node.id);
});

/** Clients of both transports through nginx, on all nodes. */
const openEverywhere = async (owner: AsyncDisposableStack): Promise<Client[]> => {
  const open = async (_: unknown, i: number) =>
    owner.use(
      await openClient(stack.url, {
        token: stack.token,
        room: ROOM,
        ...(i % 2 === 0 && { transports: ['polling'] }),
      }),
    );
  const clients = await Promise.all(Array.from({ length: CLIENTS }, open));
  // nginx takes a node up that was started again when it first tries it.
  await eventually(async () => {
    if (new Set(clients.map(({ node }) => node)).size < 3)
      clients.push(await open(undefined, clients.length));
    expect([...new Set(clients.map(({ node }) => node))].sort()).toEqual(['n1', 'n2', 'n3']);
  });
  return clients;
};

const tellAll = async (data: unknown): Promise<void> => {
  expect(await publish(stack, { room: ROOM, data })).toBe(200);
};

/** Publishes the numbers from 0 on, one after the other, until `ended` settles; returns how many. */
const publishWhile = async (ended: Promise<unknown>): Promise<number> => {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  ended.then(over, over);
  let count = 0;
  while (!isOver) {
    await tellAll(count);
    count += 1;
  }
  await ended;
  return count;
};

/** All are in their room again, not on that node, and hear what is published from now on. */
const expectBack = async (clients: readonly Client[], gone: string): Promise<void> => {
  await eventually(() => expect(clients.map(({ joins }) => joins)).toEqual(clients.map(() => 2)), {
    timeoutMs: 15_000,
  });
  expect(clients.map(({ node }) => node)).not.toContain(gone);
};

/** All clients hear what is told now, and those of other nodes have heard all before it and lost nothing. */
const expectWhole = async (
  clients: readonly Client[],
  { others, published }: { others: readonly Client[]; published: number },
): Promise<void> => {
  await tellAll('after');
  await Promise.all(clients.map((client) => client.hears('after')));
  const all = [...Array(published).keys(), 'after'];
  expect(others.map(({ heard, lost }) => ({ heard, lost }))).toEqual(
    others.map(() => ({ heard: all, lost: [] })),
  );
};

test('clients of a node that is killed are back on another one by themselves, the others hear on (row 23, C1)', async () => {
  await using owner = new AsyncDisposableStack();
  const clients = await openEverywhere(owner);
  const [killed] = stack.nodes;
  const own = clients.filter(({ node }) => node === killed?.id);
  const others = clients.filter(({ node }) => node !== killed?.id);

  killed?.process.kill('SIGKILL');
  const published = await publishWhile(expectBack(own, killed?.id ?? ''));
  await expectWhole(clients, { others, published });
  for (const { lost } of own) expect(['transport close', 'transport error']).toContain(lost.join());
});

test('a node that gets SIGTERM ends with 0 and its clients go elsewhere by themselves (C1)', async () => {
  await using owner = new AsyncDisposableStack();
  const clients = await openEverywhere(owner);
  const stopped = stack.nodes[1];
  const own = clients.filter(({ node }) => node === stopped?.id);
  const others = clients.filter(({ node }) => node !== stopped?.id);

  stopped?.process.kill('SIGTERM');
  const published = await publishWhile(expectBack(own, stopped?.id ?? ''));
  expect(await stopped?.process.exited).toEqual({ code: 0, signal: null });
  await expectWhole(clients, { others, published });
  // What a server-side disconnect would be, "io server disconnect", is never tried again by a stock client.
  for (const { lost } of own) expect(['transport close', 'transport error']).toContain(lost.join());
});

test('clients come back when nginx is killed and started again (C1)', async () => {
  await using owner = new AsyncDisposableStack();
  const clients = await openEverywhere(owner);
  stack.nginx.kill('SIGKILL');
  await eventually(() => expect(clients.map(({ lost }) => lost.length)).toEqual(clients.map(() => 1)));
  await stack.nginx.restart();
  await expectBack(clients, '');
  await tellAll('after');
  await Promise.all(clients.map((client) => client.hears('after')));
});
