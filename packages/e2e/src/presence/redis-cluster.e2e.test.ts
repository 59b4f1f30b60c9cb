import { eventually, RedisCluster } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertAllLeave, countIn, join, type Node, openPeople } from './people.ts';

let stack: AsyncDisposableStack;
let redis: RedisCluster;
let people: ReturnType<typeof openPeople>;
let survivor: Node;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  redis = stack.use(await RedisCluster.start());
  people = openPeople(stack, redis.url);
  survivor = await people.startNode('survivor');
});
afterAll(() => stack.disposeAsync());

const ownerOf = (room: string) => redis.ownerOf(`{socket.io#/#${room}#}:members`);

describe('members in rooms on every shard of a Redis Cluster', () => {
  test('have all left within 10 s when their node is killed, each told once (G4)', async () => {
    const crowd = { name: 'killed', roomCount: 50, users: 10 };
    const filled = await people.fill(survivor, crowd);
    expect(new Set(await Promise.all(filled.rooms.map(ownerOf))).size).toBe(3);
    await assertAllLeave(filled);
  });

  test('stay when the owner of their rooms is killed, and then that of the leases (G4)', async () => {
    const crowd = { name: 'staying', roomCount: 12, users: 5 };
    const { node, watcher, seen, rooms } = await people.fill(survivor, crowd);
    const ofLeases = await redis.ownerOf('{fanfare:presence}:leases');
    const ofRooms = (await Promise.all(rooms.map(ownerOf))).find((owner) => owner !== ofLeases);
    if (ofRooms === undefined) throw new Error('the owner of the leases has all rooms');
    for (const [i, owner] of [ofRooms, ofLeases].entries()) {
      owner.kill('SIGKILL');
      const late = await people.connect(node, `late-${i}`);
      await eventually(() => join(late, rooms, false), { timeoutMs: 20_000 });
      const all = rooms.map((room) => `${room} late-${i}`).sort();
      await eventually(() => expect([...seen.joined].sort()).toEqual(all), { timeoutMs: 20_000 });
      seen.joined = [];
    }
    for (const room of rooms) expect(await countIn(watcher, room)).toBe(8);
    expect(seen).toMatchObject({ left: [], states: 0 });
  });
});
