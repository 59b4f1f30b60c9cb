import { eventually, RedisServer } from '@fanfare/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventLog, type SyncPage } from '../event-log/event-log.ts';
import { keys } from '../keys.ts';
import { type FeedSink, RoomFeed } from './feed.ts';

let stack: AsyncDisposableStack;
let redis: Redis;
let log: EventLog;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const server = stack.use(await RedisServer.start());
  redis = stack.adopt(new Redis(server.url), (client) => client.disconnect());
  log = new EventLog({ pub: redis, isSharded: false }, [
    { pattern: '**', count: 3, bytes: 1e6, ageMs: 60_000 },
  ]);
});
afterAll(() => stack.disposeAsync());

let rooms = 0;

/** The feed of a new room over the real log, whose reads can be held back once Redis has answered. */
const openFeed = () => {
  rooms += 1;
  const place = { namespace: '/', room: `race:${rooms}` };
  const heard: unknown[] = [];
  const held: (() => void)[] = [];
  let delivered = () => {};
  let holds = false;
  const sync = async (...query: Parameters<EventLog['sync']>): Promise<SyncPage> => {
    const page = await log.sync(...query);
    if (holds) await new Promise<void>((resolve) => held.push(resolve));
    return page;
  };
  const sink: FeedSink = {
    deliver: ({ data }) => {
      heard.push(data);
      delivered();
    },
    reset: (_position, reason) => heard.push(reason),
  };
  const feed = new RoomFeed({ log: { sync }, place, sink });
  let published = 0;
  return {
    feed,
    heard,
    /** Resolves with what sets the room back to where it is now, as a failover to a replica that had no more does. */
    snapshot: async () => {
      const names = [keys.roomHead('/', place.room), keys.roomLog('/', place.room)];
      const dumps = await Promise.all(names.map((name) => redis.dumpBuffer(name)));
      return () => Promise.all(names.map((name, i) => redis.restore(name, 0, dumps[i] ?? '', 'REPLACE')));
    },
    holdReads: () => {
      holds = true;
    },
    /** Resolves once an answer is held back. */
    heldBack: () => eventually(() => expect(held.length).toBe(1)),
    releaseReads: () => {
      holds = false;
      for (const release of held.splice(0)) release();
    },
    onDeliver: (listener: () => void) => {
      delivered = listener;
    },
    /** Appends an event, and returns it as the bus would bring it. */
    publish: async (id = `id-${published + 1}`) => {
      published += 1;
      const event = { ...place, event: 'task:created', data: published, id };
      const { offset } = await log.append(event, { publisher: 'test', remember: false });
      const page = await log.history(place, { direction: 'backward', from: offset + 1, limit: 1 });
      const [appended] = page.events;
      if (appended === undefined) throw new Error('the log has what was appended');
      return appended;
    },
  };
};

it('a subscription that breaks again while the room is being verified is trusted after the next verification', async () => {
  const { feed, heard, publish, holdReads, releaseReads } = openFeed();
  await publish();
  await feed.settled();
  holdReads();
  feed.suspend();
  const first = feed.verify();
  feed.suspend();
  const second = feed.verify();
  releaseReads();
  await Promise.all([first, second]);
  feed.accept(await publish());
  expect(heard).toEqual([2]);
});

it('a verification that is asked for in the moment in which one ends is made', async () => {
  const { feed, heard, publish, holdReads, heldBack, releaseReads, onDeliver } = openFeed();
  await publish();
  await feed.settled();
  await publish();
  holdReads();
  const ending = feed.verify();
  await heldBack();
  await publish();
  const asked = Promise.withResolvers<void>();
  onDeliver(() => queueMicrotask(() => asked.resolve(feed.verify())));
  releaseReads();
  await Promise.all([ending, asked.promise]);
  expect(heard).toEqual([2, 3]);
});

it('the first event of a room, come while a client rejoins with the empty position, is recovered', async () => {
  const { feed, publish } = openFeed();
  await feed.settled();
  using join = await feed.prepareJoin({ since: { epoch: '', offset: 0 } });
  const first = await publish();
  feed.accept(first);
  expect(join.admit()).toMatchObject({
    epoch: first.meta.epoch,
    offset: 1,
    recovered: true,
    events: [{ data: 1 }],
  });
});

it('a client that rejoins while its room is reset is told that it is not whole', async () => {
  const { feed, heard, publish } = openFeed();
  const { meta } = await publish();
  await feed.settled();
  using join = await feed.prepareJoin({ since: { epoch: meta.epoch, offset: 1 } });
  for (let i = 0; i < 5; i++) await publish();
  await feed.verify();
  expect(heard).toEqual(['retention']);
  expect(join.admit()).toMatchObject({
    offset: 6,
    recovered: false,
    reason: 'retention',
    events: [],
  });
});

it('a client that rejoins with a page older than the trimmed log gets no hole, and is told that it is not whole', async () => {
  const { feed, publish } = openFeed();
  const { meta } = await publish();
  await publish();
  await feed.settled();
  const since = { epoch: meta.epoch, offset: 1 };
  // Has the page behind it shared.
  (await feed.prepareJoin({ since }))[Symbol.dispose]();
  for (let i = 0; i < 5; i++) feed.accept(await publish());
  using first = await feed.prepareJoin({ since });
  const shared = first.admit();
  expect(shared).toMatchObject({ offset: 2, recovered: true, events: [{ data: 2 }], more: true });
  using second = await feed.prepareJoin({ since: shared });
  expect(second.admit()).toMatchObject({ offset: 7, recovered: false, reason: 'retention', events: [] });
});

it('a live event in order is not held up by a comparison under way, and is told once', async () => {
  const { feed, heard, publish, holdReads, heldBack, releaseReads } = openFeed();
  feed.accept(await publish());
  await feed.settled();
  await publish();
  feed.accept(await publish());
  await eventually(() => expect(heard).toEqual([2, 3]));
  const [fourth, fifth] = [await publish(), await publish()];
  holdReads();
  const comparing = feed.verify();
  await heldBack();
  feed.accept(fourth);
  feed.accept(fifth);
  expect(heard).toEqual([2, 3, 4, 5]);
  releaseReads();
  await comparing;
  expect(heard).toEqual([2, 3, 4, 5]);
  expect(feed.position.offset).toBe(5);
});

it('the first event of a room, come while the empty room is compared, is told once', async () => {
  const { feed, heard, publish, holdReads, heldBack, releaseReads } = openFeed();
  await feed.settled();
  holdReads();
  const comparing = feed.verify();
  await heldBack();
  feed.accept(await publish());
  expect(heard).toEqual([1]);
  releaseReads();
  await comparing;
  expect(heard).toEqual([1]);
});

it('a live event that is in no log is looked for once, and what follows is told', async () => {
  const { feed, heard, publish } = openFeed();
  const first = await publish();
  await feed.settled();
  feed.accept({ ...first, meta: { ...first.meta, offset: 1_000_000 } });
  await feed.settled();
  feed.accept(await publish());
  expect(heard).toEqual([2]);
});

it.each<[what: string, prepare: (room: ReturnType<typeof openFeed>) => Promise<unknown>]>([
  ['nothing since it began to listen', ({ feed }) => feed.settled()],
  [
    'nothing since the room was reset',
    async ({ feed, publish }) => {
      await feed.settled();
      for (let i = 0; i < 4; i++) await publish();
      await feed.verify();
    },
  ],
])(
  'writes that Redis lost, and others took the place of, are found out by a feed that heard %s',
  async (_what, prepare) => {
    const room = openFeed();
    const { feed, heard, publish, snapshot } = room;
    await publish();
    const setBack = await snapshot();
    await publish();
    await prepare(room);
    heard.length = 0;
    const { offset } = feed.position;
    await setBack();
    while ((await publish()).meta.offset <= offset);
    await feed.verify();
    expect(heard).toEqual(['lost']);
  },
);

it('an event that Redis lost, and whose publisher repeated it into the same place, is found out', async () => {
  const { feed, heard, publish, snapshot } = openFeed();
  await publish();
  await feed.settled();
  const setBack = await snapshot();
  const first = await publish('repeated');
  feed.accept(first);
  await feed.verify();
  expect(heard).toEqual([2]);
  await setBack();
  await eventually(() => expect(Date.now()).toBeGreaterThan(first.meta.at));
  expect((await publish('repeated')).meta).toMatchObject({ id: 'repeated', offset: 2 });
  await feed.verify();
  expect(heard).toEqual([2, 'lost']);
});
