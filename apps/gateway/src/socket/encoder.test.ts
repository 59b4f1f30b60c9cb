import { PacketType } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import { AnswerEncoder, Json } from './encoder.ts';

const encoder = new AnswerEncoder();
const VALUE = { ok: true, data: { events: ['ünï', '"\\\u2028'] } };

describe('an ack', () => {
  it.each([
    { nsp: '/', id: 0 },
    { nsp: '/chat', id: 12 },
  ])('that is JSON already goes out as the same value would: %j', (where) => {
    const packet = { type: PacketType.ACK, ...where };
    const [text] = encoder.encode({ ...packet, data: [new Json(JSON.stringify(VALUE))] });
    expect(text).toBe(encoder.encode({ ...packet, data: [VALUE] })[0]);
  });

  it('with binary data goes out as in stock', () => {
    const packet = { type: PacketType.ACK, nsp: '/', id: 1, data: [Buffer.from('a')] };
    expect(encoder.encode(packet)).toEqual(['61-1[{"_placeholder":true,"num":0}]', Buffer.from('a')]);
  });
});
