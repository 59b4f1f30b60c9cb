import { type Stack, startStack } from '@fanfare/local';
import { createPublisher, type Publisher } from '@fanfare/publisher';
import { eventually } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepIn, nothingHeard, openSession, range, type Session, type TestEvents } from './session.ts';

let stack: Stack;
let publisher: Publisher<TestEvents>;
let rooms = 0;

beforeAll(async () => {
  stack = await startStack({ nodes: 2 });
  publisher = createPublisher<TestEvents>({ url: stack.url, apiKey: stack.apiKey });
});
afterAll(() => stack[Symbol.asyncDispose]());

const newRoom = (): string => {
  rooms += 1;
  return `project:${rooms}`;
};

const told = (room: string, data: number) => ({ room, event: 'test:told', data }) as const;

const listen = async (session: Session, room: string) => {
  const heard = nothingHeard();
  const { handlers, onReset } = keepIn(heard);
  const handle = session.client.join(room, handlers, { onReset });
  await handle.joined();
  return { ...heard, handle };
};

/** Two clients, one on each node. */
const openBoth = (): [Session, Session] => [
  openSession(stack, { node: 'n1' }),
  openSession(stack, { node: 'n2' }),
];

describe('an event from a backend', () => {
  it('is heard once on every node, in the order of its calls, and is in the history', async () => {
    const [a, b] = openBoth();
    using _a = a;
    using _b = b;
    const room = newRoom();
    const heard = [await listen(a, room), await listen(b, room)];
    for (const n of range(1, 10)) {
      expect(await publisher.publish(told(room, n))).toMatchObject({ room, offset: n, duplicate: false });
    }
    const many = await publisher.publishMany(range(11, 1500).map((n) => told(room, n)));
    expect(many.map(([one]) => one?.offset)).toEqual(range(11, 1500));
    await eventually(() => expect(heard.map((one) => one.told.length)).toEqual([1500, 1500]));
    for (const one of heard) expect(one.told).toEqual(range(1, 1500));

    const newest = await publisher.history(room, { direction: 'backward', limit: 3 });
    expect(newest.events.map(({ data }) => data)).toEqual([1500, 1499, 1498]);
    const since = { epoch: newest.epoch, offset: 1498 };
    const { events, recovered } = await publisher.history(room, { since });
    expect([recovered, events.map(({ data }) => data)]).toEqual([true, [1499, 1500]]);
  });

  it('for several rooms but not for one user is heard once, and nobody sees a gap', async () => {
    const [a, b] = openBoth();
    using alice = a;
    using _b = b;
    using bob = openSession(stack, { node: 'n1', token: await stack.issueToken({ sub: 'bob' }) });
    const [one, two] = [newRoom(), newRoom()];
    const everywhere = [await listen(alice, one), await listen(alice, two)];
    const only = await listen(b, two);
    const excepted = await listen(bob, one);
    await publisher.publish({ rooms: [one, two], event: 'test:told', data: 1, except: ['bob'] });
    for (const room of [one, two]) await publisher.publish(told(room, 2));
    await eventually(() => {
      expect(everywhere.flatMap((heard) => heard.told).sort()).toEqual([1, 2, 2]);
      expect(only.told).toEqual([1, 2]);
      expect(excepted.told).toEqual([2]);
    });
    for (const { handle } of [...everywhere, only, excepted]) expect(handle.position?.offset).toBe(2);
    const joins = [alice, b, bob].flatMap(({ asked }) => asked.filter(({ name }) => name === 'room:join'));
    expect(joins).toHaveLength(4);
  });
});

describe('publishing through an outage', () => {
  it.each([
    [
      'Redis that stands still',
      async () => stack.redis.kill('SIGSTOP'),
      async () => stack.redis.kill('SIGCONT'),
    ],
    ['nginx that is stopped', async () => stack.nginx.stop(), async () => stack.nginx.restart()],
  ])('of %s succeeds when it is over, and doubles nothing', async (_, begin, end) => {
    const [a, b] = openBoth();
    using _a = a;
    using _b = b;
    const room = newRoom();
    const heard = [await listen(a, room), await listen(b, room)];
    await publisher.publish(told(room, 1));

    await begin();
    const options = { timeoutMs: 30_000 };
    const single = publisher.publish(told(room, 2), options);
    const many = publisher.publishMany(
      range(3, 50).map((n) => told(room, n)),
      options,
    );
    const hurried = publisher.publish(told(newRoom(), 0), { timeoutMs: 2500 });
    await expect(hurried).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await end();
    await Promise.all([single, many]);
    const last = await publisher.publish(told(room, 51));

    expect(last.offset).toBe(51);
    await eventually(() => expect(heard.map((one) => one.told.length)).toEqual([51, 51]), {
      timeoutMs: 15_000,
    });
    for (const one of heard) {
      expect([...one.told].sort((x, y) => x - y)).toEqual(range(1, 51));
      expect(one.metas.map(({ offset }) => offset)).toEqual(range(1, 51));
      expect(one.resets).toEqual([]);
    }
  });
});
