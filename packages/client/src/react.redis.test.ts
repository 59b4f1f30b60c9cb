// @vitest-environment jsdom
import { createHmac } from 'node:crypto';
import { resolve } from 'node:path';
import { execPath } from 'node:process';
import { eventually, ManagedProcess, RedisServer } from '@fanfare/testing';
import { act, cleanup, render, screen } from '@testing-library/react';
import { createElement, Fragment, type ReactNode, StrictMode, useState } from 'react';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from './client.ts';
import { FanfareProvider, useConnection, useDirect, useEvent, usePresence, useRoom } from './react.ts';

const SECRET = 'a-secret-of-the-tests-long-enough-for-HS256';
const GATEWAY = resolve(import.meta.dirname, '../../../apps/gateway/src/main.ts');

let stack: AsyncDisposableStack;
let client: Client;
let publisher: Client;
let rooms = 0;

/** A real gateway as its own process. */
const startGateway = async (
  redisUrl: string,
  node: string,
): Promise<{ url: string; process: ManagedProcess }> => {
  const gateway = await ManagedProcess.start({
    command: execPath,
    args: ['--conditions=source', GATEWAY],
    env: {
      FANFARE_NODE_ID: node,
      FANFARE_HOST: '127.0.0.1',
      FANFARE_PORT: '0',
      FANFARE_OPS_PORT: '0',
      FANFARE_TOKEN_SECRET: SECRET,
      REDIS_URL: redisUrl,
    },
  });
  const line = await gateway.waitForLine((text) => text.includes('"listening"'));
  const { port } = JSON.parse(line) as { port: number };
  return { url: `http://127.0.0.1:${port}`, process: gateway };
};

/** Signed by hand: jose takes no bytes of the realm that jsdom makes. */
const tokenFor = (user: string): string => {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const rooms = { '**': ['join', 'publish', 'signal', 'presence'] };
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + 3600, rooms, users: ['*'] };
  const signed = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
};

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const [a, b] = await Promise.all([startGateway(redis.url, 'a'), startGateway(redis.url, 'b')]);
  for (const { process } of [a, b]) stack.use(process);
  const open = (url: string, user: string) =>
    stack.adopt(createClient({ url, token: () => tokenFor(user), backoff: { delayMs: 100 } }), (opened) =>
      opened.close(),
    );
  client = open(a.url, 'alice');
  publisher = open(b.url, 'bob');
});
afterAll(() => stack.disposeAsync());
afterEach(cleanup);

const newRoom = (): string => {
  rooms += 1;
  return `project:${rooms}`;
};

/** As an app does it in development: every effect runs, is cleaned up and runs again. */
const inApp = (children: ReactNode) =>
  createElement(StrictMode, null, createElement(FanfareProvider, { client }, children));
const show = (children: ReactNode) => render(inApp(children));

const publish = (room: string, text: string) => publisher.publish(room, 'message:sent', text);

/** The requests that the client sends while `run` runs. */
const asked = async (run: () => Promise<void>): Promise<string[]> => {
  const names: string[] = [];
  const listener = (name: string) => void names.push(name);
  client.socket.onAnyOutgoing(listener);
  await run();
  client.socket.offAnyOutgoing(listener);
  return names;
};

/** A list of what is heard in a room, with its state. */
const Feed = ({ room, replay, heard }: { room: string; replay?: number; heard?: unknown[] }) => {
  const view = useRoom(room, replay === undefined ? {} : { replay });
  const [texts, setTexts] = useState<string[]>([]);
  useEvent(view, 'message:sent', (text) => {
    heard?.push(text);
    setTexts((known) => [...known, String(text)]);
  });
  const items = texts.map((text) => createElement('li', { key: text }, text));
  return createElement(Fragment, null, createElement('output', null, view.state), items);
};

const state = () => screen.getByRole('status').textContent;
const items = () => screen.queryAllByRole('listitem').map(({ textContent }) => textContent);

const Hugs = ({ heard }: { heard: unknown[] }) => {
  useDirect('user:hugged', (text, { from }) => heard.push([text, from]));
  return null;
};

it('a component hears once what another user sends to this one', async () => {
  const heard: unknown[] = [];
  const page = show(createElement(Hugs, { heard }));
  await eventually(() => publisher.send('alice', 'user:hugged', 'a'));
  await eventually(() => expect(heard).toEqual([['a', 'bob']]));
  page.unmount();
  await publisher.send('alice', 'user:hugged', 'b');
  await client.send('bob', 'user:hugged', 'c');
  expect(heard).toEqual([['a', 'bob']]);
});

describe('a component in a room', () => {
  it('that is mounted twice by StrictMode hears every event once (row 31)', async () => {
    const room = newRoom();
    const heard: unknown[] = [];
    const names = await asked(async () => {
      show(createElement(Feed, { room, heard }));
      await eventually(() => expect(state()).toBe('joined'));
      for (const text of ['a', 'b', 'c']) await publish(room, text);
      await eventually(() => expect(items()).toEqual(['a', 'b', 'c']));
    });
    expect(heard).toEqual(['a', 'b', 'c']);
    expect(names).toEqual(['room:join']);
  });

  it('hears the past that it asked for, once, and then what comes', async () => {
    const room = newRoom();
    for (const text of ['a', 'b', 'c']) await publish(room, text);
    const heard: unknown[] = [];
    show(createElement(Feed, { room, replay: 2, heard }));
    await eventually(() => expect(items()).toEqual(['b', 'c']));
    await publish(room, 'd');
    await eventually(() => expect(items()).toEqual(['b', 'c', 'd']));
    expect(heard).toEqual(['b', 'c', 'd']);
  });

  it('leaves the room when the last of its components is gone', async () => {
    const room = newRoom();
    const both = show([createElement(Feed, { key: 1, room }), createElement(Counter, { key: 2, room })]);
    await eventually(() => expect(state()).toBe('joined'));
    const first = await asked(async () => {
      both.rerender(inApp([createElement(Counter, { key: 2, room })]));
      await publish(room, 'a');
      await eventually(() => expect(screen.getByTestId('count').textContent).toBe('1'));
    });
    expect(first).toEqual([]);
    const last = await asked(async () => {
      both.unmount();
      // Asked after the leave, so answered after it.
      await client.publish(room, 'message:sent', 'after');
    });
    expect(last).toEqual(['room:leave', 'room:publish']);
  });

  it('that changes its room hears the new one only', async () => {
    const [one, two] = [newRoom(), newRoom()];
    const heard: unknown[] = [];
    const { rerender } = show(createElement(Feed, { room: one, heard }));
    await eventually(() => expect(state()).toBe('joined'));
    rerender(inApp(createElement(Feed, { room: two, heard })));
    await eventually(() => expect(state()).toBe('joined'));
    await publish(one, 'old');
    await publish(two, 'new');
    await eventually(() => expect(heard).toEqual(['new']));
  });
});

/** Counts by name alone, with a handler that closes over its state. */
const Counter = ({ room }: { room: string }) => {
  const [count, setCount] = useState(0);
  useEvent(room, 'message:sent', () => setCount(count + 1));
  return createElement('p', { 'data-testid': 'count' }, count);
};

it('a handler sees the newest state of its component', async () => {
  const room = newRoom();
  show([createElement(Counter, { key: 1, room }), createElement(Feed, { key: 2, room })]);
  await eventually(() => expect(state()).toBe('joined'));
  for (const text of ['a', 'b', 'c']) {
    await publish(room, text);
    await eventually(() => expect(items()).toContain(text));
  }
  expect(screen.getByTestId('count').textContent).toBe('3');
});

const Status = () => createElement('output', null, useConnection().status);

it('the state of the connection is shown as it is', async () => {
  const guest = createClient({ url: 'http://127.0.0.1:9', token: 'x', autoConnect: false });
  render(createElement(FanfareProvider, { client: guest }, createElement(Status)));
  expect(state()).toBe('closed');
  act(() => guest.connect());
  await eventually(() => expect(state()).toBe('waiting'));
  act(() => guest.close());
  expect(state()).toBe('closed');
});

const Members = ({ room }: { room: string }) => {
  const { members, count } = usePresence(room);
  return createElement('output', null, `${count}: ${members.map(({ user }) => user).sort()}`);
};

it('a component sees who is in its room, and sees it again after a lost connection (row 28)', async () => {
  const room = newRoom();
  const first = publisher.join(room, {});
  await first.joined();
  show(createElement(Members, { room }));
  await eventually(() => expect(state()).toBe('2: alice,bob'));
  first.leave();
  await eventually(() => expect(state()).toBe('1: alice'), { timeoutMs: 8000 });
  client.socket.io.engine.close();
  const again = publisher.join(room, {});
  await again.joined();
  await eventually(() => expect(state()).toBe('2: alice,bob'), { timeoutMs: 8000 });
  again.leave();
});
