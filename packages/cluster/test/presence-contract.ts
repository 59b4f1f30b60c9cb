import { eventually } from '@fanfare/testing';
import { expect, it } from 'vitest';
import type { Member, PresenceChange, PresenceStore } from '../src/presence/store.ts';

/** What every store of presence does. `open` makes one process of a cluster, which sees what the others made by it hold. */
export function presenceContract(open: () => PresenceStore): void {
  let rooms = 0;
  const newPlace = () => {
    rooms += 1;
    return { namespace: '/', room: `project:${rooms}` };
  };
  const usersIn = async (store: PresenceStore, place: { namespace: string; room: string }) =>
    (await store.read(place, { limit: 100 })).members.map(({ user }) => user);
  const listenTo = async (store: PresenceStore, place: { namespace: string; room: string }) => {
    const changes: PresenceChange[] = [];
    await store.listen(place, (change) => changes.push(change));
    return changes;
  };

  it('an empty room has nobody and no version', async () => {
    const [one, place] = [open(), newPlace()];
    const nobody = { members: [], count: 0, version: 0 };
    await eventually(async () => expect(await one.read(place, { limit: 10 })).toEqual(nobody));
  });

  it('a user whom two processes hold is one member, told of once as they come and once as they go', async () => {
    const [one, two, place] = [open(), open(), newPlace()];
    const changes = await listenTo(two, place);
    const alice: Member = { user: 'alice', info: { name: 'Alice' } };
    one.hold(place, alice);
    await eventually(async () => expect(await usersIn(two, place)).toEqual(['alice']));
    two.hold(place, alice);
    two.hold(place, { user: 'bob' });
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['alice', 'bob']));
    one.release(place, 'alice');
    one.hold(place, { user: 'carol' });
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['alice', 'bob', 'carol']));
    two.release(place, 'alice');
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['bob', 'carol']));
    await eventually(() => expect(changes.flatMap(({ left }) => left)).toEqual(['alice']));
    expect(changes.flatMap(({ joined }) => joined)).toEqual([alice, { user: 'bob' }, { user: 'carol' }]);
    expect(changes.at(-1)?.count).toBe(2);
  });

  it('who is held with other info, by the same process or another one, is told of again with it', async () => {
    const [one, two, place] = [open(), open(), newPlace()];
    const changes = await listenTo(two, place);
    const told = [{ name: 'Old' }, { name: 'New' }, undefined, { name: 'Back' }];
    for (const [i, info] of told.entries()) {
      (i < 2 ? one : two).hold(place, { user: 'alice', ...(info && { info }) });
      await eventually(() => expect(changes).toHaveLength(i + 1));
    }
    two.hold(place, { user: 'alice', info: { name: 'Back' } });
    one.release(place, 'alice');
    two.release(place, 'alice');
    await eventually(() => expect(changes).toHaveLength(told.length + 1));
    const [first] = changes;
    expect(changes).toEqual([
      ...told.map((info, i) => ({
        version: (first?.version ?? 0) + i,
        count: 1,
        joined: [info ? { user: 'alice', info } : { user: 'alice' }],
        left: [],
      })),
      expect.objectContaining({ count: 0, joined: [], left: ['alice'] }),
    ]);
  });

  it('each change is one version later, and so is what a room is read with', async () => {
    const [one, two, place] = [open(), open(), newPlace()];
    const changes = await listenTo(two, place);
    for (const user of ['a', 'b', 'c']) {
      one.hold(place, { user });
      await eventually(() => expect(changes.at(-1)?.joined).toEqual([{ user }]));
    }
    const [first = 0, second, third] = changes.map(({ version }) => version);
    expect([second, third]).toEqual([first + 1, first + 2]);
    expect(await two.read(place, { limit: 0 })).toMatchObject({ count: 3, version: third });
  });

  it('a room that was empty begins with a greater version than all before', async () => {
    const [one, place] = [open(), newPlace()];
    one.hold(place, { user: 'a' });
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['a']));
    const { version } = await one.read(place, { limit: 1 });
    one.release(place, 'a');
    await eventually(async () => expect(await usersIn(one, place)).toEqual([]));
    one.hold(place, { user: 'b' });
    await eventually(async () => expect(await usersIn(one, place)).toEqual(['b']));
    expect((await one.read(place, { limit: 1 })).version).toBeGreaterThan(version);
  });

  it('pages through the members in the order of their names, each once, while others come and go', async () => {
    const [one, place] = [open(), newPlace()];
    const users = Array.from({ length: 25 }, (_, i) => `user-${String(i).padStart(2, '0')}`);
    for (const user of users) one.hold(place, { user, info: { user } });
    await eventually(async () => expect((await one.read(place, { limit: 1 })).count).toBe(25));
    const found: Member[] = [];
    let after: string | undefined;
    do {
      const { members, next } = await one.read(place, { limit: 10, after });
      found.push(...members);
      after = next;
      one.release(place, members[0]?.user ?? '');
      const left = 25 - Math.ceil(found.length / 10);
      await eventually(async () => expect((await one.read(place, { limit: 1 })).count).toBe(left));
    } while (after !== undefined);
    expect(found).toEqual(users.map((user) => ({ user, info: { user } })));
  });

  it('takes names of any characters', async () => {
    const [one, place] = [open(), newPlace()];
    const users = ['"quoted"', 'a b', 'comma,colon:', 'ünïcode 🎺', '{x}'];
    const changes = await listenTo(one, place);
    for (const user of users) one.hold(place, { user });
    await eventually(async () => expect((await usersIn(one, place)).sort()).toEqual([...users].sort()));
    await eventually(() =>
      expect(changes.flatMap(({ joined = [] }) => joined.map(({ user }) => user)).sort()).toEqual(
        [...users].sort(),
      ),
    );
  });

  it('rooms of different namespaces have nothing in common', async () => {
    const [one, place] = [open(), newPlace()];
    one.hold({ ...place, namespace: '/chat' }, { user: 'a' });
    await eventually(async () => expect(await usersIn(one, { ...place, namespace: '/chat' })).toEqual(['a']));
    expect(await usersIn(one, place)).toEqual([]);
  });

  it('a process that stops leaves its members to nobody, but not those whom another one holds', async () => {
    const [one, two, place] = [open(), open(), newPlace()];
    const changes = await listenTo(two, place);
    for (const user of ['a', 'b']) one.hold(place, { user });
    two.hold(place, { user: 'b' });
    await eventually(async () => expect(await usersIn(two, place)).toEqual(['a', 'b']));
    await one[Symbol.asyncDispose]();
    await eventually(async () => expect(await usersIn(two, place)).toEqual(['b']), { timeoutMs: 5000 });
    await eventually(() => expect(changes.flatMap(({ left }) => left)).toEqual(['a']));
  });

  it('who does not listen any more is told nothing', async () => {
    const [one, two, place] = [open(), open(), newPlace()];
    const changes = await listenTo(two, place);
    two.unlisten(place);
    const stillHeard = await listenTo(one, place);
    one.hold(place, { user: 'a' });
    await eventually(() => expect(stillHeard).toHaveLength(1));
    expect(changes).toEqual([]);
  });
}
