import { describe, expect, it } from 'vitest';
import {
  everyRoom,
  isAllowed,
  matchesPattern,
  mayReachUser,
  ROOM_ACTIONS,
  tokenClaims,
} from './permissions.ts';

describe('a pattern', () => {
  it.each<[pattern: string, name: string, matches: boolean]>([
    ['project:42', 'project:42', true],
    ['project:42', 'project:43', false],
    ['project:42', 'project:42:tasks', false],
    ['project:*', 'project:42', true],
    ['project:*', 'project:42:tasks', false],
    ['project:*', 'projects:42', false],
    ['project:*:tasks', 'project:42:tasks', true],
    ['project:*:tasks', 'project:42:comments', false],
    ['*:42', 'project:42', true],
    ['project:**', 'project:42', true],
    ['project:**', 'project:42:tasks:7', true],
    ['project:**', 'project', false],
    ['project:42:**', 'project:42', false],
    ['**', 'project:42:tasks:7', true],
    ['*', 'ping', true],
    ['*', 'task:created', false],
  ])('%s on %s: %s', (pattern, name, matches) => {
    expect(matchesPattern(pattern, name)).toBe(matches);
  });

  it('decides as a regular expression of its segments does, over every short pattern and name', () => {
    const words = (alphabet: readonly string[], longest: number): string[] => {
      if (longest === 1) return [...alphabet];
      const shorter = words(alphabet, longest - 1);
      return [...alphabet, ...shorter.flatMap((word) => alphabet.map((segment) => `${word}:${segment}`))];
    };
    const names = words(['a', 'b', 'ab'], 4);
    const stems = words(['a', 'b', '*'], 3);
    const patterns = [...stems, ...stems.map((stem) => `${stem}:**`), '**'];
    const expressionOf = (pattern: string) =>
      new RegExp(
        `^${pattern
          .split(':')
          .map((segment) => (segment === '**' ? '.+' : segment === '*' ? '[^:]+' : segment))
          .join(':')}$`,
      );
    const wrong = patterns.flatMap((pattern) => {
      const expression = expressionOf(pattern);
      return names
        .filter((name) => matchesPattern(pattern, name) !== expression.test(name))
        .map((name) => `${pattern} on ${name}`);
    });
    expect(wrong).toEqual([]);
    expect(patterns.length * names.length).toBeGreaterThan(5000);
  });
});

describe('what a token allows', () => {
  it('is nothing without a grant', () => {
    for (const action of ROOM_ACTIONS) {
      expect(isAllowed({}, { room: 'project:1', action, event: 'a' })).toBe(false);
      expect(isAllowed({ 'project:*': [] }, { room: 'project:1', action, event: 'a' })).toBe(false);
    }
  });

  it('is the action that is granted and no other', () => {
    for (const granted of ROOM_ACTIONS) {
      for (const action of ROOM_ACTIONS) {
        const allowed = isAllowed({ 'project:*': [granted] }, { room: 'project:1', action, event: 'a' });
        expect(allowed).toBe(action === granted);
      }
    }
  });

  it('adds up over patterns and grants, whatever their order', () => {
    const rooms = {
      'project:*': ['join'],
      'project:1': ['signal', 'publish message:*'],
      '**': ['publish note:added'],
    };
    const reversed = Object.fromEntries(
      Object.entries(rooms)
        .reverse()
        .map(([pattern, grants]) => [pattern, [...grants].reverse()]),
    );
    for (const claims of [rooms, reversed]) {
      const may = (room: string, action: (typeof ROOM_ACTIONS)[number], event?: string) =>
        isAllowed(claims, { room, action, ...(event === undefined ? {} : { event }) });
      expect(may('project:1', 'join')).toBe(true);
      expect(may('project:1', 'signal')).toBe(true);
      expect(may('project:1', 'publish', 'message:sent')).toBe(true);
      expect(may('project:1', 'publish', 'note:added')).toBe(true);
      expect(may('project:1', 'publish', 'task:created')).toBe(false);
      expect(may('project:2', 'join')).toBe(true);
      expect(may('project:2', 'signal')).toBe(false);
      expect(may('project:2', 'publish', 'message:sent')).toBe(false);
      expect(may('project:2', 'publish', 'note:added')).toBe(true);
      expect(may('team:1', 'join')).toBe(false);
    }
  });

  it.each<[grant: string, event: string | undefined, allowed: boolean]>([
    ['publish', 'task:created', true],
    ['publish', undefined, true],
    ['publish task:created', 'task:created', true],
    ['publish task:created', 'task:removed', false],
    ['publish task:*', 'task:created', true],
    ['publish task:*', 'task:created:twice', false],
    ['publish task:**', 'task:created:twice', true],
    ['publish task:*', 'tasks:created', false],
    ['publish *', 'ping', true],
    ['publish *', 'task:created', false],
    ['publish **', 'task:created', true],
    ['publish task:*', undefined, false],
  ])('"%s" for the event %s: %s', (grant, event, allowed) => {
    const request = {
      room: 'project:1',
      action: 'publish' as const,
      ...(event === undefined ? {} : { event }),
    };
    expect(isAllowed({ 'project:*': [grant] }, request)).toBe(allowed);
  });

  it('is everything with the claims for local use', () => {
    const { rooms } = tokenClaims.parse({ sub: 'alice', exp: 1, rooms: everyRoom });
    for (const action of ROOM_ACTIONS) {
      expect(isAllowed(rooms, { room: 'a:b:c:d', action, event: 'x:y' })).toBe(true);
    }
  });
});

describe('the claims of a token', () => {
  const parse = (claims: Record<string, unknown>) =>
    tokenClaims.safeParse({ sub: 'alice', exp: 1, ...claims });

  it('open the default namespace and no room unless they say otherwise', () => {
    expect(parse({}).data).toEqual({ sub: 'alice', exp: 1, namespaces: ['/'], rooms: {} });
  });

  it('may hold what other services put into the same token', () => {
    expect(parse({ iss: 'https://id.example', aud: ['fanfare'], scope: 'x' }).success).toBe(true);
  });

  it.each([{ sub: '' }, { sub: 7 }, { exp: '1' }, { exp: undefined }, { rooms: ['project:*'] }])(
    'are refused with %j',
    (claims) => {
      expect(parse(claims).success).toBe(false);
    },
  );

  it.each(['**', 'project:**', 'project:*', '*:42', 'project:42', '*:*:*:*', 'a:*:c:**'])(
    'may have the room pattern %s',
    (pattern) => {
      expect(parse({ rooms: { [pattern]: ['join'] } }).success).toBe(true);
    },
  );

  it.each([
    '',
    '*',
    'project',
    'project*',
    'project:4*',
    '**:42',
    'a:**:c',
    'a:b:c:d:**',
    'a:b:c:d:e',
    'A:b',
  ])('may not have the room pattern %j, which matches no room', (pattern) => {
    expect(parse({ rooms: { [pattern]: ['join'] } }).success).toBe(false);
  });

  it.each(['publish message:*', 'publish **', 'publish *', 'publish a:**', 'publish user.hug'])(
    'may have the grant "%s"',
    (grant) => {
      expect(parse({ rooms: { 'project:*': [grant] } }).success).toBe(true);
    },
  );

  it.each([
    '',
    'read',
    'JOIN',
    'join ',
    'join message:*',
    'signal typing:*',
    'publish ',
    'publish  a',
    'publish a b',
    'publish mess*',
    'publish **:sent',
    'publish a:**:b',
    'publish ***',
    `publish ${'a'.repeat(129)}`,
  ])('may not have the grant %j', (grant) => {
    expect(parse({ rooms: { 'project:*': [grant] } }).success).toBe(false);
  });
});

describe('whom a token allows to send to', () => {
  it.each<[users: string[], user: string, mayReach: boolean]>([
    [[], 'bob', false],
    [['bob'], 'bob', true],
    [['bob'], 'bobby', false],
    [['bob'], 'Bob', false],
    [['bob', 'carol'], 'carol', true],
    [['*'], 'anybody: 🤗', true],
    [['team:*'], 'team:7', true],
    [['team:*'], 'team:', true],
    [['team:*'], 'teams:7', false],
    [['*@example.com'], 'bob@example.com', false],
    [['b*b'], 'bob', false],
    [['b*b'], 'b*b', true],
    [['b**'], 'b*7', true],
    [['b**'], 'bob', false],
    [['.'], 'x', false],
  ])('%j on %s: %s', (users, user, mayReach) => {
    expect(mayReachUser(users, user)).toBe(mayReach);
  });

  it('is nobody where the token says nothing', () => {
    expect(mayReachUser(tokenClaims.parse({ sub: 'alice', exp: 1 }).users, 'bob')).toBe(false);
  });
});
