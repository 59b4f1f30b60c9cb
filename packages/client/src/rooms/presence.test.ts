import { expect, it } from 'vitest';
import { Presence } from './presence.ts';

const [alice, bob, carol] = [{ user: 'alice', info: { name: 'Alice' } }, { user: 'bob' }, { user: 'carol' }];

it('what a join answers is followed by differences, which may overlap with it', () => {
  const presence = new Presence();
  expect(presence.view).toEqual({ members: [], count: 0 });
  presence.take({ members: [alice], count: 1 });
  presence.take({ joined: [alice, bob, carol], left: [], count: 3 });
  presence.take({ joined: [], left: ['bob', 'nobody'], count: 2 });
  expect(presence.view).toEqual({ members: [alice, carol], count: 2 });
});

it('a state replaces what was known, and a large room has a count alone', () => {
  const presence = new Presence();
  presence.take({ members: [alice], count: 1 });
  presence.take({ members: [bob], count: 1 });
  expect(presence.view).toEqual({ members: [bob], count: 1 });
  presence.take({ count: 5000 });
  expect(presence.view).toEqual({ members: [], count: 5000 });
});

it('an answer without presence, and what is no member, changes nothing', () => {
  const presence = new Presence();
  presence.take({ members: [alice, 7, null, { user: 8 }], count: 1 });
  const { view } = presence;
  expect(view.members).toEqual([alice]);
  expect(presence.take({})).toBe(false);
  expect(presence.view).toBe(view);
});
