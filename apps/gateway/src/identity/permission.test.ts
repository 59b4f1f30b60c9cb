import { tokenClaims } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { allows } from './permission.ts';

it('claims allow what they grant and nothing else', () => {
  const claims = tokenClaims.parse({ sub: 'alice', exp: 1, rooms: { 'project:*': ['join'] } });
  expect(allows(claims, { room: 'project:1', action: 'join' })).toBe(true);
  expect(allows(claims, { room: 'project:1', action: 'signal' })).toBe(false);
  expect(allows(claims, { room: 'chat:1', action: 'join' })).toBe(false);
});
