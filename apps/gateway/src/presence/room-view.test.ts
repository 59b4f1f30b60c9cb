import { MemoryPresence } from '@fanfare/cluster';
import type { PresenceMember } from '@fanfare/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type KnownPresence, RoomView, type Telling } from './room-view.ts';

const PLACE = { namespace: '/', room: 'project:1' };
const USERS = ['ann', 'bob', 'cem', 'dot'];

type Step = { does: 'come' | 'go'; user: string; info?: number } | { does: 'watch' | 'tell' | 'read' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constantFrom('come', 'go'), user: fc.constantFrom(...USERS), info: fc.nat(1) }),
  fc.record({ does: fc.constantFrom('watch', 'tell', 'read') }),
);

const infosOf = (members: readonly PresenceMember[]) =>
  new Map(members.map(({ user, info }) => [user, info]));

/** What a client makes of what it is told. */
class Watcher {
  members: Map<string, unknown> | undefined;
  count: number | undefined;

  constructor({ members, count }: KnownPresence) {
    this.members = members && infosOf(members);
    this.count = count;
  }

  hear({ event, data }: Telling): void {
    this.count = data.count;
    if (event === 'presence:state') {
      this.members = data.members && infosOf(data.members);
      return;
    }
    for (const { user, info } of data.joined) this.members?.set(user, info);
    for (const user of data.left) this.members?.delete(user);
  }
}

test('whoever begins to watch when, knows in the end who is there, with what info', async () => {
  const program = fc.record({
    listMax: fc.constantFrom(2, 100),
    steps: fc.array(step, { maxLength: 30, size: 'max' }),
  });
  await fc.assert(
    fc.asyncProperty(program, async ({ listMax, steps }) => {
      await using store = new MemoryPresence().open();
      using view = new RoomView({ store, place: PLACE, listMax, changed: () => undefined });
      await view.ready();
      const here = new Map<string, unknown>();
      const watchers: Watcher[] = [];
      const tell = () => {
        const telling = view.take();
        if (telling !== undefined) for (const watcher of watchers) watcher.hear(telling);
      };
      for (const one of steps) {
        if (one.does === 'come') {
          store.hold(PLACE, { user: one.user, info: one.info });
          here.set(one.user, one.info);
        } else if (one.does === 'go') {
          store.release(PLACE, one.user);
          here.delete(one.user);
        } else if (one.does === 'watch') watchers.push(new Watcher(view.state()));
        else if (one.does === 'tell') tell();
        else await view.read();
      }
      await view.read();
      tell();
      for (const { members, count } of watchers) {
        expect(count).toBe(here.size);
        if (here.size <= listMax) expect(members).toEqual(here);
      }
    }),
    { numRuns: 2000 },
  );
});
