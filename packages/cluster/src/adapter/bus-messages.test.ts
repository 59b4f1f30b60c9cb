import { encode } from 'notepack.io';
import { expect, it } from 'vitest';
import { readBroadcast } from './bus-messages.ts';

it('an event that is said to be binary is an ordinary one: Socket.IO finds its parts by itself', () => {
  const data = ['test:told', 1];
  const [, packet] = readBroadcast(encode(['emitter', { type: 5, data, nsp: '/' }, { rooms: ['test:1'] }]));
  expect(packet).toMatchObject({ type: 2, data });
});
