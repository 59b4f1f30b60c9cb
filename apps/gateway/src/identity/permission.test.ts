import { tokenClaims } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { createClaimsReader } from './claims.ts';
import { allows } from './permission.ts';
import { roomRules } from './room-rules.ts';

const claimsWith = (claims: Record<string, unknown>) =>
  tokenClaims.parse({ sub: 'alice', exp: 1, ...claims });

it('claims allow what they grant and nothing else', () => {
  const claims = claimsWith({ rooms: { 'project:*': ['join'] } });
  expect(allows(claims, { room: 'project:1', action: 'join' })).toBe(true);
  expect(allows(claims, { room: 'project:1', action: 'signal' })).toBe(false);
  expect(allows(claims, { room: 'chat:1', action: 'join' })).toBe(false);
});

it('rules for everybody read a pattern and its actions, and add up', () => {
  expect(roomRules.parse('public:*=join+signal, news:**=join,public:*=publish comment:*+join')).toEqual({
    'public:*': ['join', 'signal', 'publish comment:*'],
    'news:**': ['join'],
  });
});

it.each([
  '',
  'public:*',
  'public:*=',
  'public*=join',
  'public:*=admin',
  'public:*=join+',
  'a:*=join;b:*=join',
])('the rules "%s" are refused', (text) => {
  expect(roomRules.safeParse(text).success).toBe(false);
});

it('rules for everybody are part of the claims of each token, whatever it grants itself', () => {
  const read = createClaimsReader(roomRules.parse('public:*=join, chat:*=publish'));
  const payloads = [{}, { rooms: { 'chat:*': ['join'] } }, { rooms: { 'public:lobby': ['signal'] } }];
  for (const payload of [...payloads, ...payloads, ...payloads]) {
    const claims = read({ sub: 'alice', exp: 1, ...payload });
    const may = (room: string, action: 'join' | 'publish' | 'signal') => allows(claims, { room, action });
    expect(may('public:lobby', 'join')).toBe(true);
    expect(may('chat:1', 'publish')).toBe(true);
    expect(may('chat:1', 'join')).toBe('rooms' in payload && 'chat:*' in payload.rooms);
    expect(may('public:lobby', 'signal')).toBe('rooms' in payload && 'public:lobby' in payload.rooms);
    expect(may('secret:1', 'join')).toBe(false);
  }
});

it('equal grants are one object that nobody can change; other claims are of their own', () => {
  const read = createClaimsReader({});
  const payload = { exp: 1, rooms: { 'chat:*': ['join'] } };
  const [, bob, carol] = ['alice', 'bob', 'carol'].map((sub) => read({ ...payload, sub }));
  expect(bob?.sub).toBe('bob');
  expect(carol?.sub).toBe('carol');
  expect(bob?.rooms).toBe(carol?.rooms);
  expect(() => bob?.rooms['chat:*']?.push('publish')).toThrow(TypeError);
  expect(() => Object.assign(bob?.rooms ?? {}, { '**': ['join'] })).toThrow(TypeError);
});

it('grants beyond those that are remembered are read as well', () => {
  const read = createClaimsReader({});
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 300; i += 1) {
      const { rooms } = read({ sub: 'alice', exp: 1, rooms: { [`chat:${i}`]: ['join'] } });
      expect(Object.keys(rooms)).toEqual([`chat:${i}`]);
    }
  }
});
