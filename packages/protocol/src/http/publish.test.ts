import { describe, expect, it } from 'vitest';
import { batchRequest, publishRequest } from './publish.ts';

const good = { event: 'task:created', data: { id: 7 } };
const messagesOf = (body: unknown): string =>
  (publishRequest.safeParse(body).error?.issues ?? []).map(({ message }) => message).join('; ');

describe('a publish request', () => {
  it('goes to the default namespace', () => {
    expect(publishRequest.parse({ ...good, room: 'project:1' })).toEqual({
      ...good,
      room: 'project:1',
      namespace: '/',
    });
  });

  it('has one of room, rooms and user', () => {
    const either = 'give one of room, rooms and user';
    expect(messagesOf({ ...good, room: 'project:1' })).toBe('');
    expect(messagesOf({ ...good, rooms: ['project:1', 'project:2'] })).toBe('');
    expect(messagesOf(good)).toBe(either);
    expect(messagesOf({ ...good, user: 'alice' })).toBe('');
    expect(messagesOf({ ...good, room: 'project:1', rooms: ['project:2'] })).toBe(either);
    expect(messagesOf({ ...good, room: 'project:1', user: 'alice' })).toBe(either);
  });

  it('has 1 to 50 rooms and at most 50 exceptions', () => {
    const rooms = (count: number) => Array(count).fill('project:1');
    expect(messagesOf({ ...good, rooms: rooms(50), except: rooms(50) })).toBe('');
    expect(messagesOf({ ...good, rooms: [] })).toContain('>=1');
    expect(messagesOf({ ...good, rooms: rooms(51) })).toContain('<=50');
    expect(messagesOf({ ...good, rooms: rooms(1), except: rooms(51) })).toContain('<=50');
  });

  it('excepts users by any name of 1 to 256 characters', () => {
    const messages = (user: string) => messagesOf({ ...good, room: 'project:1', except: [user] });
    expect(messages('auth0|5f7c, a name with spaces')).toBe('');
    expect(messages('x'.repeat(256))).toBe('');
    expect(messages('x'.repeat(257))).toContain('<=256');
    expect(messages('')).toContain('>=1');
  });

  it.each([
    { room: 'Project:1' },
    { room: 'inbox:me' },
    { room: 'inbox:3q2-7w' },
    { event: 'disconnect' },
    { event: 'room:reset' },
    { namespace: 'chat' },
    { id: '' },
    { rom: 'project:1' },
  ])('is refused with %j', (change) => {
    expect(publishRequest.safeParse({ ...good, room: 'project:1', ...change }).success).toBe(false);
  });

  it('may carry null, but not nothing', () => {
    expect(publishRequest.parse({ ...good, room: 'project:1', data: null }).data).toBeNull();
    expect(publishRequest.safeParse({ event: 'task:created', room: 'project:1' }).success).toBe(false);
  });
});

describe('a batch', () => {
  it('has 1 to 1000 publish requests', () => {
    const batch = (count: number) => ({ commands: Array(count).fill({ ...good, room: 'project:1' }) });
    expect(batchRequest.safeParse(batch(1000)).success).toBe(true);
    expect(batchRequest.safeParse(batch(0)).success).toBe(false);
    expect(batchRequest.safeParse(batch(1001)).success).toBe(false);
    expect(batchRequest.safeParse({ commands: [good] }).success).toBe(false);
  });
});
