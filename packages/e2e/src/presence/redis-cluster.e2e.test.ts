import { eventually, RedisCluster } from '@fanfare/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countIn, join, type Node, openPeople } from './people.ts';

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
    const { node, watcher, seen, members, rooms } = await people.fill(survivor, crowd);
    expect(new Set(await Promise.all(rooms.map(ownerOf))).size).toBe(3);
    node.app.process.kill('SIGKILL');
    const killedAt = performance.now();
    await eventually(() => expect(seen.left.length).toBeGreaterThanOrEqual(500), { timeoutMs: 12_000 });
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    expect(seen.left.sort()).toEqual(members);
    expect(seen.joined).toEqual([]);
    expect(await countIn(watcher, rooms[0] ?? '')).toBe(1);
  });

  test('stay when the owner of their rooms is killed, and then that of the leases (G4)', async () => {
    const crowd = { name: 'staying', roomCount: 12, users: 5 };
    const { node, watcher, seen, rooms } = await people.fill(survivor, crowd);
    const ofLeases = await redis.ownerOf('{fanfare:presence}:leases');
    const ofRooms = (await Promise.all(rooms.map(ownerOf))).find((owner) => owner !== ofLeases);
    for (const [i, owner] of [ofRooms, ofLeases].entries()) {
      owner?.kill('SIGKILL');
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
