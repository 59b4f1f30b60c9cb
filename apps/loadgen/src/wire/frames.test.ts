import { describe, expect, it } from 'vitest';
import { encodeFrame, encodeServerFrame, FrameReader, OPCODE } from './frames.ts';

/** All messages of a byte stream that arrives in chunks of `size` bytes. */
const readInChunks = (bytes: Buffer, size: number): string[] => {
  const heard: string[] = [];
  const reader = new FrameReader();
  // One buffer for all reads, as the socket has: what is kept must have been copied.
  const shared = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(shared, 0, at, at + size);
    reader.push(shared, length, (opcode, payload) => heard.push(`${opcode}:${payload.toString()}`));
    shared.fill(0);
  }
  return heard;
};

const serverFrame = (first: number, payload: string): Buffer => {
  const frame = encodeServerFrame(payload);
  frame[0] = first;
  return frame;
};

describe('FrameReader', () => {
  it.each([1, 2, 3, 7, 64, 4_096])('finds every message when %i bytes arrive at a time', (size) => {
    const texts = ['', 'a', 'b'.repeat(125), 'c'.repeat(126), 'd'.repeat(1_000), 'é'];
    const bytes = Buffer.concat(texts.map(encodeServerFrame));
    expect(readInChunks(bytes, size)).toEqual(texts.map((text) => `${OPCODE.text}:${text}`));
  });

  it('reads a length of 64 bits', () => {
    const head = Buffer.alloc(10);
    head.writeUInt16BE(0x82_7f);
    head.writeBigUInt64BE(70_000n, 2);
    const [message] = readInChunks(Buffer.concat([head, Buffer.alloc(70_000, 'x')]), 10_000);
    expect(message).toBe(`${OPCODE.binary}:${'x'.repeat(70_000)}`);
  });

  it('joins the fragments of a message and passes a ping that comes between them', () => {
    const bytes = Buffer.concat([
      serverFrame(0x01, 'one '),
      serverFrame(0x89, 'ping'),
      serverFrame(0x00, 'two '),
      serverFrame(0x80, 'three'),
    ]);
    expect(readInChunks(bytes, 5)).toEqual([`${OPCODE.ping}:ping`, `${OPCODE.text}:one two three`]);
  });

  it('refuses a compressed frame and a masked one', () => {
    expect(() => readInChunks(serverFrame(0xc1, 'x'), 10)).toThrow(/compressed/);
    expect(() => readInChunks(encodeFrame('x'), 10)).toThrow(/masked/);
  });
});

describe('encodeFrame', () => {
  it.each([
    [0, 6],
    [125, 131],
    [126, 134],
    [65_535, 65_543],
    [65_536, 65_550],
  ])('frames %i bytes of payload in %i bytes, masked', (size, whole) => {
    const frame = encodeFrame('x'.repeat(size));
    expect(frame.length).toBe(whole);
    expect(frame[0]).toBe(0x81);
    expect((frame[1] ?? 0) & 0x80).toBe(0x80);
    const mask = frame.subarray(whole - size - 4, whole - size);
    const body = frame.subarray(whole - size).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
    expect(body.every((byte) => byte === 0x78)).toBe(true);
  });
});
